import { z } from 'zod'
import { type DeviceKey, maxLabel } from '#platform/registry/credentials.ts'
import { pageOf } from '../paging.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'
import { deviceOf, deviceParams, organisationQuery } from '../scope.ts'

const credential = z
  .object({
    id: z.string(),
    label: z.string(),
    created_at: z.iso.datetime().nullable().describe('null: with the device, or by its last rotation'),
    expires_at: z.iso.datetime().nullable().describe('null: never'),
    last_used_at: z.iso.datetime().nullable().describe('to the hour; null: not yet'),
  })
  .meta({ id: 'Credential' })
const params = deviceParams.extend({ credential: z.string().min(1).max(64) })
const query = z.strictObject(organisationQuery)
const tag = 'credentials'

export const credentials: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/devices/{device}/credentials',
    access: 'developer',
    summary: 'List the keys that are good for a device now, without the keys themselves',
    tag,
    params: deviceParams,
    query,
    status: 200,
    answer: pageOf(credential),
    problems: ['organisation_not_found', 'device_not_found'],
    handle: async ({ deps, caller, params: { device }, query: { organisation } }) => {
      const { org, id } = await deviceOf(deps, caller, device, organisation)
      const keys = await deps.platform.registry.devices.keys(org, id)
      return { items: keys.map(shown), next: null }
    },
  }),
  route({
    method: 'post',
    path: '/v1/devices/{device}/credentials',
    access: 'developer',
    summary: 'Give a device one more key, which is shown this once',
    tag,
    params: deviceParams,
    query,
    body: z.strictObject({
      label: z.string().max(maxLabel).default('').describe('what it is for'),
      expires_at: z.iso.datetime({ offset: true }).optional().describe('its connections are closed then'),
    }),
    status: 201,
    answer: credential.extend({ key: z.string().describe('shown this once') }),
    problems: ['organisation_not_found', 'device_not_found', 'limit_reached'],
    handle: async ({ deps, caller, params: { device }, query: { organisation }, body, response }) => {
      const ref = await deviceOf(deps, caller, device, organisation)
      const expiresAt = body.expires_at === undefined ? null : Date.parse(body.expires_at)
      if (expiresAt !== null && expiresAt <= deps.clock.now())
        throw new Problem('invalid_field', 'expires_at: is over already', {
          errors: [{ field: 'body.expires_at', message: 'must be in the future' }],
        })
      const { keys } = deps.platform.registry
      const { added, key } = await keys.add(ref, { label: body.label, expiresAt })
      response.location(`/v1/devices/${ref.id}/credentials/${added.id}`)
      return { ...shown(added), key }
    },
  }),
  route({
    method: 'post',
    path: '/v1/key',
    access: 'device-only',
    operationId: 'rotateOwnKey',
    summary: 'A device replaces its own key; the old one is good for a while, should the answer be lost',
    tag,
    query: z.strictObject({
      overlap: z.coerce
        .number('must be a whole number')
        .int()
        .min(60)
        .max(2_592_000)
        .default(3600)
        .describe('seconds for which the old key is good as well'),
    }),
    status: 201,
    answer: z.object({ id: z.string(), key: z.string().describe('shown this once') }),
    problems: ['limit_reached', 'conflict', 'outcome_unknown'],
    handle: async ({ deps, caller, query: { overlap } }) => {
      if (caller?.kind !== 'device') throw new Problem('forbidden', 'the key of a device is needed')
      const { org, id } = caller.device
      const { key } = await deps.platform.registry.devices.rotateKey(org, id, overlap * 1000)
      return { id, key }
    },
  }),
  route({
    method: 'delete',
    path: '/v1/devices/{device}/credentials/{credential}',
    access: 'developer',
    summary: 'Revoke a key; connections made with it are closed in all datacenters',
    tag,
    params,
    query,
    status: 204,
    problems: [
      'organisation_not_found',
      'device_not_found',
      'credential_not_found',
      'conflict',
      'outcome_unknown',
    ],
    handle: async ({ deps, caller, params: { device, credential: named }, query: { organisation } }) => {
      const { org, id } = await deviceOf(deps, caller, device, organisation)
      await deps.platform.registry.devices.revokeKey(org, id, named)
      return undefined
    },
  }),
]

function shown(key: DeviceKey): z.input<typeof credential> {
  return {
    id: key.id,
    label: key.label,
    created_at: timeOf(key.createdAt),
    expires_at: timeOf(key.expiresAt),
    last_used_at: timeOf(key.lastUsedAt),
  }
}

function timeOf(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString()
}
