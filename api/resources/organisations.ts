import { z } from 'zod'
import { aclRule } from '#platform/auth/acl.ts'
import { durabilities, organisationId, type Organisation, shortId } from '#platform/registry/organisations.ts'
import type { Caller } from '../callers.ts'
import { gateGrantor } from '../credentials.ts'
import { Problem } from '../problems.ts'
import { pageOf, pageQuery } from '../paging.ts'
import { route, type Route } from '../route.ts'

const id = z
  .string()
  .regex(organisationId, 'must be 1 to 63 of a-z, 0-9 and - (not first or last)')
  .describe('chosen once; part of every key, never given again')
const name = z.string().min(1).max(200)
const acl = z
  .array(aclRule)
  .max(256)
  .describe('rules for its devices, first match wins, no match denies; null: the default rules')
const durability = z
  .enum(durabilities)
  .describe(
    'when a write counts: `local`: when one datacenter has it safely; `geo`: when most of the world has it, so that ' +
      'the loss of a datacenter loses nothing; needs most datacenters in contact',
  )

const organisation = z
  .object({
    id,
    name,
    iotguru_user: z.string().describe("its devices' user name in the IoT Guru library"),
    acl: acl.nullable(),
    durability,
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Organisation' })
const withToken = organisation.extend({
  token: z.string().describe('API token of the organisation; shown this once'),
})
const params = z.strictObject({ organisation: z.string().min(1).max(63) })
const tag = 'organisations'

export const organisations: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/organisations',
    access: 'platform',
    summary: 'Create an organisation; its API token is shown this once',
    tag,
    body: z.strictObject({
      id,
      name: name.optional(),
      iotguru_user: z
        .string()
        .regex(shortId, 'must be 1 to 64 of A-Z, a-z, 0-9, _ and -')
        .optional()
        .describe('user short id of an IoT Guru account that moves here'),
      acl: acl.optional(),
      durability: durability.optional(),
    }),
    status: 201,
    answer: withToken,
    problems: ['invalid_field', 'organisation_exists', 'user_taken'],
    handle: async ({ deps, body, response }) => {
      const { iotguru_user: user, ...rest } = body
      const created = await deps.platform.registry.organisations.create({ ...rest, user })
      response.location(`/v1/organisations/${created.organisation.id}`)
      return { ...shown(created.organisation), token: created.token }
    },
  }),
  route({
    method: 'get',
    path: '/v1/organisations',
    access: 'platform',
    summary: 'List organisations, in no particular order',
    tag,
    query: z.strictObject(pageQuery),
    status: 200,
    answer: pageOf(organisation),
    handle: async ({ deps, query }) => {
      const page = await deps.platform.registry.organisations.list(query)
      return { items: page.organisations.map(shown), next: page.cursor }
    },
  }),
  route({
    method: 'get',
    path: '/v1/organisations/{organisation}',
    access: 'viewer',
    summary: 'Read an organisation',
    tag,
    params,
    status: 200,
    answer: organisation,
    problems: ['organisation_not_found'],
    handle: async ({ deps, caller, params: { organisation: named } }) => {
      gateOwn(caller, named)
      return shown(await deps.platform.registry.organisations.get(named))
    },
  }),
  route({
    method: 'patch',
    path: '/v1/organisations/{organisation}',
    access: 'admin',
    summary:
      'Change name, access rules or durability; rules hold for connections made from then on, durability for writes',
    tag,
    params,
    body: z.strictObject({
      name: name.optional(),
      acl: acl.nullable().optional(),
      durability: durability.optional(),
    }),
    status: 200,
    answer: organisation,
    problems: ['invalid_field', 'organisation_not_found', 'conflict'],
    handle: async ({ deps, caller, params: { organisation: named }, body, audit }) => {
      gateOwn(caller, named)
      const { organisations: service } = deps.platform.registry
      audit({ before: shown(await service.get(named)) })
      return shown(await service.update(named, body))
    },
  }),
  route({
    method: 'post',
    path: '/v1/organisations/{organisation}/token',
    access: 'admin',
    summary: 'Replace the API token; the old one stops working',
    tag,
    params,
    status: 201,
    answer: withToken,
    problems: ['organisation_not_found', 'conflict'],
    handle: async ({ deps, caller, params: { organisation: named } }) => {
      gateOwn(caller, named)
      gateGrantor(caller)
      const { organisations: service } = deps.platform.registry
      const token = await service.rotateToken(named)
      return { ...shown(await service.get(named)), token }
    },
  }),
  route({
    method: 'delete',
    path: '/v1/organisations/{organisation}',
    access: 'platform',
    summary: 'Delete an organisation without devices',
    tag,
    params,
    status: 204,
    problems: ['organisation_not_found', 'organisation_not_empty', 'conflict'],
    handle: async ({ deps, params: { organisation: named }, audit }) => {
      const { organisations: service } = deps.platform.registry
      audit({ before: shown(await service.get(named)) })
      await service.delete(named)
      return undefined
    },
  }),
]

function gateOwn(caller: Caller | null, named: string): void {
  if (caller?.kind === 'platform') return
  if (caller === null || caller.kind === 'stranger' || caller.organisation.id !== named) {
    throw new Problem('organisation_not_found', `no organisation "${named}"`)
  }
}

function shown(one: Organisation): z.input<typeof organisation> {
  return {
    id: one.id,
    name: one.name,
    iotguru_user: one.user,
    acl: one.acl === null ? null : [...one.acl],
    durability: one.durability,
    created_at: new Date(one.createdAt).toISOString(),
  }
}
