import { z } from 'zod'
import { type Group, groupId } from '#platform/registry/groups.ts'
import { groupsOf } from '../access.ts'
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../paging.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'
import { deviceOf, organisationOf, organisationQuery } from '../scope.ts'
import { filterOf, gateGroupsKept, listedDevice, shownListed } from './device-shape.ts'

const id = z
  .string()
  .regex(groupId, 'must be 1 to 63 of A-Z, a-z, 0-9, _ and -, a letter or digit first')
  .describe('chosen once, never given again')
const name = z.string().min(1).max(200)
const description = z.string().max(1000)
const parent = id.nullable().describe('the group that it is in; null: none')

const group = z.object({ id, name, description, parent, created_at: z.iso.datetime() }).meta({ id: 'Group' })
const params = z.strictObject({ group: z.string().min(1).max(63) })
const memberParams = params.extend({ device: z.string().min(1).max(128).describe('id or name') })
const query = z.strictObject(organisationQuery)
const tag = 'groups'

export const groups: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/groups',
    access: 'developer',
    summary: 'Create a group of devices',
    tag,
    query,
    body: z.strictObject({
      id: id.optional(),
      name: name.optional(),
      description: description.optional(),
      parent: parent.optional(),
    }),
    status: 201,
    answer: group,
    problems: [
      'invalid_field',
      'organisation_not_found',
      'group_not_found',
      'group_exists',
      'limit_reached',
      'outcome_unknown',
    ],
    handle: async ({ deps, caller, query: { organisation }, body, response }) => {
      const owner = await organisationOf(deps, caller, organisation)
      const made = await deps.platform.registry.groups.create(owner.id, body)
      response.location(`/v1/groups/${made.id}`)
      return shown(made)
    },
  }),
  route({
    method: 'get',
    path: '/v1/groups',
    access: 'viewer',
    byGroup: true,
    summary: 'List groups by id',
    tag,
    query: z.strictObject({
      ...pageQuery,
      ...organisationQuery,
      parent: z.string().min(1).max(63).optional().describe('only those directly in this one'),
    }),
    status: 200,
    fields: true,
    answer: pageOf(group),
    problems: ['organisation_not_found'],
    handle: async ({ deps, caller, query: { organisation, limit, cursor, parent: inside } }) => {
      const owner = await organisationOf(deps, caller, organisation)
      const after = cursor === undefined ? '' : decodeCursor(cursor, z.string().max(63))
      const granted = caller === null ? [] : groupsOf(caller)
      const service = deps.platform.registry.groups
      const all: Group[] = []
      for (const one of await service.list(owner.id)) {
        if (one.id <= after || (inside !== undefined && one.parent !== inside)) continue
        // oxlint-disable-next-line no-await-in-loop -- from memory
        if (
          granted === null ||
          (await service.withAncestors(owner.id, [one.id])).some((x) => granted.includes(x))
        )
          all.push(one)
      }
      const next = all.length > limit ? encodeCursor(all[limit - 1].id) : null
      return { items: all.slice(0, limit).map(shown), next }
    },
  }),
  route({
    method: 'get',
    path: '/v1/groups/{group}',
    access: 'viewer',
    byGroup: true,
    summary: 'Read a group',
    tag,
    params,
    query,
    status: 200,
    versioned: 'optional',
    answer: group,
    problems: ['organisation_not_found', 'group_not_found'],
    handle: async ({ deps, caller, params: { group: named }, query: { organisation }, version }) => {
      const owner = await organisationOf(deps, caller, organisation)
      const one = await deps.platform.registry.groups.get(owner.id, named)
      const granted = caller === null ? [] : groupsOf(caller)
      const around = await deps.platform.registry.groups.withAncestors(owner.id, [one.id])
      if (granted !== null && !around.some((x) => granted.includes(x)))
        throw new Problem('group_not_found', `no group has the id "${named}"`)
      version(one.version)
      return shown(one)
    },
  }),
  route({
    method: 'patch',
    path: '/v1/groups/{group}',
    access: 'developer',
    summary: 'Rename a group, or put it into another one',
    tag,
    params,
    query,
    body: z.strictObject({
      name: name.optional(),
      description: description.optional(),
      parent: parent.optional(),
    }),
    status: 200,
    versioned: 'optional',
    answer: group,
    problems: ['invalid_field', 'organisation_not_found', 'group_not_found', 'conflict', 'outcome_unknown'],
    handle: async ({ deps, caller, params: { group: named }, query: { organisation }, body, ...call }) => {
      const owner = await organisationOf(deps, caller, organisation)
      const service = deps.platform.registry.groups
      const before = await service.get(owner.id, named)
      call.precondition.check(before.version)
      const expected = call.precondition.given ? before.version : undefined
      const changed = await service.update(owner.id, named, body, expected)
      call.audit({ before: shown(before), after: shown(changed) })
      call.version(changed.version)
      return shown(changed)
    },
  }),
  route({
    method: 'delete',
    path: '/v1/groups/{group}',
    access: 'developer',
    summary: 'Delete a group without groups inside; its devices stay',
    tag,
    params,
    query,
    status: 204,
    problems: ['organisation_not_found', 'group_not_found', 'group_not_empty', 'conflict', 'outcome_unknown'],
    handle: async ({ deps, caller, params: { group: named }, query: { organisation }, audit }) => {
      const owner = await organisationOf(deps, caller, organisation)
      const { groups: service } = deps.platform.registry
      audit({ before: shown(await service.get(owner.id, named)) })
      await service.delete(owner.id, named)
      return undefined
    },
  }),
  route({
    method: 'get',
    path: '/v1/groups/{group}/devices',
    access: 'viewer',
    byGroup: true,
    summary: 'List the devices of a group and of those inside it, by name',
    tag,
    params,
    query: z.strictObject({ ...pageQuery, ...organisationQuery }),
    status: 200,
    fields: true,
    answer: pageOf(listedDevice),
    problems: ['organisation_not_found', 'group_not_found'],
    handle: async ({ deps, caller, params: { group: named }, query: { organisation, limit, cursor } }) => {
      const owner = await organisationOf(deps, caller, organisation)
      const after = cursor === undefined ? undefined : decodeCursor(cursor, z.string().max(64))
      const wanted = await filterOf(deps, caller, owner.id, { group: named })
      const page = await deps.platform.deviceIndex.search(owner.id, wanted, { limit, after })
      return {
        items: page.devices.map((one) => shownListed(owner.id, one)),
        next: page.next === null ? null : encodeCursor(page.next),
      }
    },
  }),
  ...(['put', 'delete'] as const).map((method) =>
    route({
      method,
      path: '/v1/groups/{group}/members/{device}',
      access: 'developer',
      summary: method === 'put' ? 'Put a device into a group' : 'Take a device out of a group',
      tag,
      params: memberParams,
      query,
      status: 204,
      problems: [
        'invalid_field',
        'organisation_not_found',
        'group_not_found',
        'device_not_found',
        'conflict',
        'outcome_unknown',
      ],
      handle: async ({ deps, caller, params: { group: named, device }, query: { organisation } }) => {
        const owner = await organisationOf(deps, caller, organisation)
        await deps.platform.registry.groups.get(owner.id, named)
        const { id: found } = await deviceOf(deps, caller, device, organisation)
        const { devices } = deps.platform.registry
        const { memberOf, version } = await devices.get(owner.id, found)
        const others = memberOf.filter((one) => one !== named)
        if (method === 'delete' && others.length === memberOf.length) return undefined
        if (method === 'put' && others.length < memberOf.length) return undefined
        const wanted = method === 'put' ? [...others, named] : others
        await gateGroupsKept(deps, caller, owner.id, wanted)
        await devices.update(owner.id, found, { groups: wanted }, version)
        return undefined
      },
    }),
  ),
]

function shown(one: Group): z.input<typeof group> {
  const { id: own, name: called, description: about, parent: around, createdAt } = one
  return {
    id: own,
    name: called,
    description: about,
    parent: around,
    created_at: new Date(createdAt).toISOString(),
  }
}
