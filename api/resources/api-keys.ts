import { z } from 'zod'
import type { ApiKey } from '#platform/identity/api-keys.ts'
import { roles } from '#platform/identity/roles.ts'
import { scopePattern } from '../access.ts'
import { gateGrantor, granted, nameOf } from '../credentials.ts'
import type { ApiDeps } from '../deps.ts'
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../paging.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'
import { organisationOf, organisationQuery } from '../scope.ts'

const scopes = z
  .array(z.string().regex(scopePattern, 'must be like "devices:read" or "*:write"'))
  .min(1)
  .max(64)
  .nullable()
  .describe('`<tag>:read` (GET) and `<tag>:write`, `*` for all tags; null: all that the role may')
const apiKey = z
  .object({
    id: z.string(),
    name: z.string(),
    role: z.enum(roles),
    scopes: z.array(z.string()).nullable(),
    groups: granted.groups,
    created_by: z.string(),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime().nullable().describe('null: never'),
    expired: z.boolean(),
    last_used_at: z.iso.datetime().nullable().describe('to the minute; null: never'),
    last_used_from: z.string().nullable().describe('address'),
  })
  .meta({ id: 'ApiKey' })
const withSecret = apiKey.extend({
  secret: z.string().describe('for "Authorization: Bearer"; shown this once, only its SHA-256 is kept'),
})
const params = z.strictObject({ key: z.string().min(1).max(64).describe('id') })
const query = z.strictObject(organisationQuery)
const tag = 'api-keys'

export const apiKeys: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/api-keys',
    access: 'admin',
    operationId: 'createApiKey',
    summary: 'Create an API key; its secret is shown this once',
    tag,
    query,
    body: z.strictObject({
      name: z.string().min(1).max(200),
      role: granted.role,
      scopes: scopes.default(null),
      groups: granted.groups.default(null),
      expires_at: z.iso
        .datetime({ offset: true })
        .nullable()
        .default(null)
        .describe('from then on it is refused; null: never'),
    }),
    status: 201,
    answer: withSecret,
    problems: ['invalid_field', 'organisation_not_found', 'limit_reached'],
    handle: async ({ deps, caller, query: { organisation }, body, response }) => {
      gateGrantor(caller)
      const { id: org } = await organisationOf(deps, caller, organisation)
      const expiresAt = body.expires_at === null ? null : Date.parse(body.expires_at)
      if (expiresAt !== null && expiresAt <= deps.clock.now()) {
        const message = 'must be in the future'
        throw new Problem('invalid_field', `expires_at: ${message}`, {
          errors: [{ field: 'body.expires_at', message }],
        })
      }
      const { name, role, groups } = body
      const input = { name, role, scopes: body.scopes, groups, expiresAt, createdBy: nameOf(caller) }
      const { key, secret } = await deps.platform.identity.apiKeys.create(org, input)
      response.location(`/v1/api-keys/${key.id}`)
      return { ...(await shown(deps, key)), secret }
    },
  }),
  route({
    method: 'get',
    path: '/v1/api-keys',
    access: 'admin',
    summary: 'List API keys, in no particular order',
    tag,
    query: z.strictObject({ ...pageQuery, ...organisationQuery }),
    status: 200,
    answer: pageOf(apiKey),
    problems: ['organisation_not_found'],
    handle: async ({ deps, caller, query: { organisation, limit, cursor } }) => {
      const { id: org } = await organisationOf(deps, caller, organisation)
      const after = cursor === undefined ? undefined : decodeCursor(cursor, z.string().max(64))
      const { keys, next } = await deps.platform.identity.apiKeys.list(org, { limit, after })
      const items = await Promise.all(keys.map((key) => shown(deps, key)))
      return { items, next: next === null ? null : encodeCursor(next) }
    },
  }),
  route({
    method: 'get',
    path: '/v1/api-keys/{key}',
    access: 'admin',
    summary: 'Read an API key',
    tag,
    params,
    query,
    status: 200,
    answer: apiKey,
    problems: ['organisation_not_found', 'api_key_not_found'],
    handle: async ({ deps, caller, params: { key: id }, query: { organisation } }) => {
      const { id: org } = await organisationOf(deps, caller, organisation)
      const key = await deps.platform.identity.apiKeys.find(org, id)
      if (key === undefined) throw new Problem('api_key_not_found', `no API key "${id}"`)
      return shown(deps, key)
    },
  }),
  route({
    method: 'delete',
    path: '/v1/api-keys/{key}',
    access: 'admin',
    summary: 'Revoke an API key; all processes in contact refuse it when this answers, others within 5 s',
    tag,
    params,
    query,
    status: 204,
    problems: ['organisation_not_found', 'api_key_not_found'],
    handle: async ({ deps, caller, params: { key: id }, query: { organisation }, audit }) => {
      const { id: org } = await organisationOf(deps, caller, organisation)
      const { apiKeys: service } = deps.platform.identity
      const before = await service.find(org, id)
      if (before !== undefined) audit({ before: await shown(deps, before) })
      await service.revoke(org, id)
      return undefined
    },
  }),
]

async function shown({ platform, clock }: ApiDeps, key: ApiKey): Promise<z.input<typeof apiKey>> {
  const used = await platform.identity.apiKeys.lastUse(key)
  const { id, name, role, createdBy, expiresAt } = key
  return {
    id,
    name,
    role,
    scopes: key.scopes === null ? null : [...key.scopes],
    groups: key.groups === null ? null : [...key.groups],
    created_by: createdBy,
    created_at: new Date(key.createdAt).toISOString(),
    expires_at: expiresAt === null ? null : new Date(expiresAt).toISOString(),
    expired: expiresAt !== null && expiresAt <= clock.now(),
    last_used_at: used === null ? null : new Date(used.at).toISOString(),
    last_used_from: used?.address ?? null,
  }
}
