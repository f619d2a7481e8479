import { z } from 'zod'
import type { Membership } from '#platform/identity/memberships.ts'
import { roles } from '#platform/identity/roles.ts'
import { gateGrantor, granted } from '../credentials.ts'
import type { ApiDeps } from '../deps.ts'
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../paging.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'
import { organisationOf, organisationQuery } from '../scope.ts'

const user = z
  .object({
    id: z.string(),
    email: z.string(),
    name: z.string(),
    role: z.enum(roles).describe('what counts now'),
    standing_role: z.enum(roles).describe('what is left when the elevation ends'),
    elevated_until: z.iso.datetime().nullable().describe('null: not elevated'),
    groups: granted.groups,
    member_since: z.iso.datetime(),
  })
  .meta({ id: 'User', description: 'a person, as a member of the organisation' })
const params = z.strictObject({ user: z.string().min(1).max(64).describe('id') })
const query = z.strictObject(organisationQuery)
/** Long enough for a repair, short enough to be forgotten without harm. */
const maxElevationHours = 24
const hourMs = 3_600_000
const tag = 'users'

/** Members of an organisation. New ones are invited: `invitations.ts`. */
export const users: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/users',
    access: 'admin',
    summary: 'List the members of the organisation, in no particular order',
    tag,
    query: z.strictObject({ ...pageQuery, ...organisationQuery }),
    status: 200,
    answer: pageOf(user),
    problems: ['organisation_not_found'],
    handle: async ({ deps, caller, query: { organisation, limit, cursor } }) => {
      const { id: org } = await organisationOf(deps, caller, organisation)
      const after = cursor === undefined ? undefined : decodeCursor(cursor, z.string().max(64))
      const { members, next } = await deps.platform.identity.memberships.list(org, { limit, after })
      const items = await Promise.all(members.map((one) => shown(deps, one)))
      return {
        items: items.filter((one) => one !== undefined),
        next: next === null ? null : encodeCursor(next),
      }
    },
  }),
  route({
    method: 'get',
    path: '/v1/users/{user}',
    access: 'admin',
    summary: 'Read a member',
    tag,
    params,
    query,
    status: 200,
    answer: user,
    problems: ['organisation_not_found', 'user_not_found'],
    handle: async ({ deps, caller, params: { user: id }, query: { organisation } }) => {
      const { id: org } = await organisationOf(deps, caller, organisation)
      return member(deps, org, id)
    },
  }),
  route({
    method: 'patch',
    path: '/v1/users/{user}',
    access: 'admin',
    summary:
      "Change a member's role or groups, or lend a higher role for some hours; it holds at once in all datacenters in " +
      'contact, else in 5 s',
    tag,
    params,
    query,
    body: z.strictObject({
      role: granted.role.optional(),
      groups: granted.groups.optional(),
      elevation: z
        .strictObject({
          role: granted.role,
          hours: z.number().min(0.1).max(maxElevationHours).describe('from now on'),
        })
        .nullable()
        .optional()
        .describe('a higher role that ends by itself; null: end it now'),
    }),
    status: 200,
    answer: user,
    problems: ['organisation_not_found', 'user_not_found', 'last_admin'],
    handle: async ({ deps, caller, params: { user: id }, query: { organisation }, body, audit }) => {
      gateGrantor(caller)
      const { id: org } = await organisationOf(deps, caller, organisation)
      const before = await membershipOf(deps, org, id)
      const { elevation } = body
      const until = elevation == null ? 0 : deps.clock.now() + Math.round(elevation.hours * hourMs)
      const wanted = {
        role: body.role ?? before.standing,
        groups: body.groups === undefined ? before.groups : body.groups,
        elevation: elevation === undefined ? before.elevation : elevation && { role: elevation.role, until },
      }
      if (wanted.role !== 'admin' || wanted.groups !== null) await gateLastAdmin(deps, before)
      audit({
        before: { role: before.standing, groups: before.groups, elevation: before.elevation },
        after: { role: wanted.role, groups: wanted.groups, elevation: wanted.elevation },
      })
      const { identity } = deps.platform
      await identity.memberships.put(org, id, wanted)
      await identity.changed({ user: id })
      return member(deps, org, id)
    },
  }),
  route({
    method: 'delete',
    path: '/v1/users/{user}',
    access: 'admin',
    summary: 'Remove a member from the organisation; the account stays, for other organisations',
    tag,
    params,
    query,
    status: 204,
    problems: ['organisation_not_found', 'user_not_found', 'last_admin'],
    handle: async ({ deps, caller, params: { user: id }, query: { organisation }, audit }) => {
      const { id: org } = await organisationOf(deps, caller, organisation)
      const before = await membershipOf(deps, org, id)
      await gateLastAdmin(deps, before)
      audit({ before: { role: before.role, groups: before.groups } })
      const { identity } = deps.platform
      await identity.memberships.remove(org, id)
      await identity.changed({ user: id })
      return undefined
    },
  }),
]

async function membershipOf({ platform }: ApiDeps, org: string, id: string): Promise<Membership> {
  const found = await platform.identity.memberships.find(org, id)
  if (found === undefined) throw new Problem('user_not_found', `no user "${id}"`)
  return found
}

async function member(deps: ApiDeps, org: string, id: string): Promise<z.input<typeof user>> {
  const found = await shown(deps, await membershipOf(deps, org, id))
  if (found === undefined) throw new Problem('user_not_found', `no user "${id}"`)
  return found
}

/** Undefined: the account was deleted. */
async function shown({ platform }: ApiDeps, one: Membership): Promise<z.input<typeof user> | undefined> {
  const account = await platform.identity.users.find(one.user)
  if (account === undefined) return undefined
  return {
    id: account.id,
    email: account.email,
    name: account.name,
    role: one.role,
    standing_role: one.standing,
    elevated_until: one.elevation === null ? null : new Date(one.elevation.until).toISOString(),
    groups: one.groups === null ? null : [...one.groups],
    member_since: new Date(one.createdAt).toISOString(),
  }
}

const pageSize = 500

/** Problem `last_admin` if nobody else would be an admin of all of the organisation. */
export async function gateLastAdmin({ platform }: ApiDeps, leaving: Membership): Promise<void> {
  if (leaving.standing !== 'admin' || leaving.groups !== null) return
  let after: string | undefined
  do {
    // oxlint-disable-next-line no-await-in-loop -- until one is found
    const page = await platform.identity.memberships.list(leaving.org, { limit: pageSize, after })
    const other = page.members.find(
      ({ user: id, standing, groups }) => id !== leaving.user && standing === 'admin' && groups === null,
    )
    if (other !== undefined) return
    after = page.next ?? undefined
  } while (after !== undefined)
  throw new Problem('last_admin', 'make somebody else an admin first')
}
