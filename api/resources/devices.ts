import { z } from 'zod'
import { importedKey } from '#platform/auth/keys.ts'
import { type Device, deviceId, deviceName } from '#platform/registry/devices.ts'
import { gateLoad } from '../durable.ts'
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../paging.ts'
import { route, type Route } from '../route.ts'
import { deviceOf, deviceParams, organisationOf, organisationQuery } from '../scope.ts'

const name = z
  .string()
  .regex(deviceName, 'must be 1 to 64 of A-Z, a-z, 0-9, ., _, : and -, a letter or digit first')
  .describe('unique in the organisation; also the MQTT user name')

const device = z
  .object({
    id: z.string().describe('never changes; also the device short id of the IoT Guru library'),
    name,
    organisation: z.string(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Device' })
const withKey = device.extend({
  key: z.string().describe('MQTT password and HTTP key; shown this once, only its SHA-256 is kept'),
})
const withCheckIn = device.extend({
  check_in: z
    .object({ at: z.iso.datetime(), version: z.string().nullable() })
    .nullable()
    .describe('last firmware check over HTTP (IoT Guru library), and the version it named'),
})
const query = z.strictObject(organisationQuery)
const tag = 'devices'

export const devices: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/devices',
    access: 'developer',
    summary: 'Create a device; its key is shown this once',
    tag,
    query,
    body: z.strictObject({
      name,
      id: z
        .string()
        .regex(deviceId, 'must be 1 to 36 of A-Z, a-z, 0-9, _ and -')
        .optional()
        .describe('device short id of an IoT Guru device that moves here'),
      key: z
        .string()
        .regex(importedKey, 'must be 22 to 128 of A-Z, a-z, 0-9, _ and -')
        .optional()
        .describe('its device key'),
    }),
    status: 201,
    answer: withKey,
    problems: ['organisation_not_found', 'name_taken', 'id_taken', 'key_taken', 'outcome_unknown'],
    handle: async ({ deps, caller, query: { organisation }, body, response }) => {
      const owner = await organisationOf(deps, caller, organisation)
      const created = await deps.platform.registry.devices.create(owner.id, body)
      response.location(`/v1/devices/${created.device.id}`)
      return { ...shown(created.device), key: created.key }
    },
  }),
  route({
    method: 'get',
    path: '/v1/devices',
    access: 'viewer',
    summary: 'List devices by name',
    tag,
    query: z.strictObject({
      ...pageQuery,
      ...organisationQuery,
      prefix: z.string().max(64).optional().describe('only names that begin with this'),
    }),
    status: 200,
    answer: pageOf(device),
    problems: ['organisation_not_found'],
    handle: async ({ deps, caller, query: { organisation, limit, cursor, prefix } }) => {
      const owner = await organisationOf(deps, caller, organisation)
      const after = cursor === undefined ? undefined : decodeCursor(cursor, z.string().max(64))
      const page = await deps.platform.registry.devices.list(owner.id, { limit, after, prefix })
      return { items: page.devices.map(shown), next: page.next === null ? null : encodeCursor(page.next) }
    },
  }),
  route({
    method: 'get',
    path: '/v1/devices/{device}',
    access: 'device',
    summary: 'Read a device',
    tag,
    params: deviceParams,
    query,
    status: 200,
    answer: withCheckIn,
    problems: ['organisation_not_found', 'device_not_found'],
    handle: async ({ deps, caller, params, query: { organisation } }) => {
      const ref = await deviceOf(deps, caller, params.device, organisation)
      const [one, checkIn] = await Promise.all([
        deps.platform.registry.devices.get(ref.org, ref.id),
        deps.platform.checkIns.last(ref),
      ])
      return { ...shown(one), check_in: checkIn && { ...checkIn, at: new Date(checkIn.at).toISOString() } }
    },
  }),
  route({
    method: 'post',
    path: '/v1/devices/{device}/key',
    access: 'developer',
    summary: 'Replace the key; connections made with the old one are closed',
    tag,
    params: deviceParams,
    query,
    status: 201,
    answer: withKey,
    problems: ['organisation_not_found', 'device_not_found', 'conflict', 'outcome_unknown'],
    handle: async ({ deps, caller, params, query: { organisation } }) => {
      const { org, id } = await deviceOf(deps, caller, params.device, organisation)
      const rotated = await deps.platform.registry.devices.rotateKey(org, id)
      return { ...shown(rotated.device), key: rotated.key }
    },
  }),
  route({
    method: 'delete',
    path: '/v1/devices/{device}',
    access: 'developer',
    summary: 'Delete a device with all its data; its connection is closed',
    tag,
    params: deviceParams,
    query,
    status: 204,
    problems: ['organisation_not_found', 'device_not_found', 'overloaded'],
    handle: async ({ deps, caller, params, query: { organisation } }) => {
      const { org, id } = await deviceOf(deps, caller, params.device, organisation)
      gateLoad(deps)
      await deps.platform.registry.deleteDevice(org, id)
      return undefined
    },
  }),
]

function shown(one: Device): z.input<typeof device> {
  return {
    id: one.id,
    name: one.name,
    organisation: one.org,
    created_at: new Date(one.createdAt).toISOString(),
  }
}
