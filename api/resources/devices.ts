import { z } from 'zod'
import { importedKey } from '#platform/auth/keys.ts'
import { deviceId } from '#platform/registry/device-record.ts'
import { gateLoad } from '../durable.ts'
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../paging.ts'
import { route, type Route } from '../route.ts'
import { deviceOf, deviceParams, organisationOf, organisationQuery } from '../scope.ts'
import {
  device,
  filterOf,
  filterQuery,
  gateGroupsKept,
  listedDevice,
  name,
  properties,
  shownDevice as shown,
  shownListed,
} from './device-shape.ts'

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
      ...properties,
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
    problems: [
      'invalid_field',
      'organisation_not_found',
      'group_not_found',
      'name_taken',
      'id_taken',
      'key_taken',
      'outcome_unknown',
    ],
    handle: async ({ deps, caller, query: { organisation }, body, response }) => {
      const owner = await organisationOf(deps, caller, organisation)
      await gateGroupsKept(deps, caller, owner.id, body.groups ?? [])
      const created = await deps.platform.registry.devices.create(owner.id, body)
      response.location(`/v1/devices/${created.device.id}`)
      return { ...shown(created.device), key: created.key }
    },
  }),
  route({
    method: 'get',
    path: '/v1/devices',
    access: 'viewer',
    byGroup: true,
    summary: 'List or search devices, by name; everything that is given must hold',
    tag,
    query: z.strictObject({ ...pageQuery, ...organisationQuery, ...filterQuery }),
    status: 200,
    fields: true,
    answer: pageOf(listedDevice),
    problems: ['invalid_field', 'organisation_not_found', 'group_not_found'],
    handle: async ({ deps, caller, query: { organisation, limit, cursor, ...filter } }) => {
      const owner = await organisationOf(deps, caller, organisation)
      const after = cursor === undefined ? undefined : decodeCursor(cursor, z.string().max(64))
      const wanted = await filterOf(deps, caller, owner.id, filter)
      const page = await deps.platform.deviceIndex.search(owner.id, wanted, { limit, after })
      return {
        items: page.devices.map((one) => shownListed(owner.id, one)),
        next: page.next === null ? null : encodeCursor(page.next),
      }
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
    fields: true,
    versioned: 'optional',
    answer: withCheckIn,
    problems: ['organisation_not_found', 'device_not_found'],
    handle: async ({ deps, caller, params, query: { organisation }, version }) => {
      const ref = await deviceOf(deps, caller, params.device, organisation)
      const [one, checkIn] = await Promise.all([
        deps.platform.registry.devices.get(ref.org, ref.id),
        deps.platform.checkIns.last(ref),
      ])
      version(one.version)
      return { ...shown(one), check_in: checkIn && { ...checkIn, at: new Date(checkIn.at).toISOString() } }
    },
  }),
  route({
    method: 'patch',
    path: '/v1/devices/{device}',
    access: 'developer',
    summary: 'Change name, labels, groups, description, profile; let it connect or not',
    tag,
    params: deviceParams,
    query,
    body: z.strictObject({ name: name.optional(), ...properties }),
    status: 200,
    versioned: 'optional',
    answer: device,
    problems: [
      'invalid_field',
      'organisation_not_found',
      'device_not_found',
      'group_not_found',
      'name_taken',
      'conflict',
      'outcome_unknown',
    ],
    handle: async ({ deps, caller, params, query: { organisation }, body, ...call }) => {
      const { precondition, version, audit } = call
      const { org, id } = await deviceOf(deps, caller, params.device, organisation)
      const before = await deps.platform.registry.devices.get(org, id)
      precondition.check(before.version)
      if (body.groups !== undefined) await gateGroupsKept(deps, caller, org, body.groups)
      const expected = precondition.given ? before.version : undefined
      const changed = await deps.platform.registry.devices.update(org, id, body, expected)
      audit({ targets: [id], before: shown(before), after: shown(changed) })
      version(changed.version)
      return shown(changed)
    },
  }),
  route({
    method: 'post',
    path: '/v1/devices/{device}/key',
    access: 'developer',
    summary:
      'Replace the key; the old one is refused, and its connections are closed, at once or after an overlap',
    tag,
    params: deviceParams,
    query: z.strictObject({
      ...organisationQuery,
      overlap: z.coerce
        .number('must be a whole number')
        .int()
        .min(0)
        .max(2_592_000)
        .default(0)
        .describe('seconds for which the old key is good as well; at most 30 days'),
    }),
    status: 201,
    answer: withKey,
    problems: ['organisation_not_found', 'device_not_found', 'limit_reached', 'conflict', 'outcome_unknown'],
    handle: async ({ deps, caller, params, query: { organisation, overlap } }) => {
      const { org, id } = await deviceOf(deps, caller, params.device, organisation)
      const rotated = await deps.platform.registry.devices.rotateKey(org, id, overlap * 1000)
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
    handle: async ({ deps, caller, params, query: { organisation }, audit }) => {
      const { org, id } = await deviceOf(deps, caller, params.device, organisation)
      gateLoad(deps, org)
      audit({ targets: [id], before: shown(await deps.platform.registry.devices.get(org, id)) })
      await deps.platform.registry.deleteDevice(org, id)
      return undefined
    },
  }),
]
