import { z } from 'zod'
import { roles } from '#platform/identity/roles.ts'
import type { User } from '#platform/identity/users.ts'
import type { Caller } from '../callers.ts'
import { password, personName } from '../credentials.ts'
import type { ApiDeps } from '../deps.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'
import { gateAttempts, personOf } from './sessions.ts'
import { gateLastAdmin } from './users.ts'

const me = z
  .object({
    id: z.string(),
    email: z.string(),
    name: z.string(),
    platform: z.boolean().describe('also an administrator of the platform'),
    created_at: z.iso.datetime(),
    session: z.string().describe('id of the session that asks'),
    organisations: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        role: z.enum(roles),
        groups: z.array(z.string()).nullable().describe('only devices in these groups; null: all'),
      }),
    ),
  })
  .meta({ id: 'Me' })
const notYours = 'is not your password'
const currentPassword = z.string().min(1).max(256)
const tag = 'me'

export const meRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/me',
    access: 'user',
    operationId: 'getMe',
    summary: 'Who you are, and in which organisations',
    tag,
    status: 200,
    answer: me,
    handle: async ({ deps, caller }) => shown(deps, caller, await userOf(deps, caller)),
  }),
  route({
    method: 'patch',
    path: '/v1/me',
    access: 'user',
    operationId: 'updateMe',
    summary: 'Change your name',
    tag,
    body: z.strictObject({ name: personName }),
    status: 200,
    answer: me,
    problems: ['invalid_field'],
    handle: async ({ deps, caller, body, audit }) => {
      const { identity } = deps.platform
      const user = await userOf(deps, caller)
      const renamed = await identity.users.rename(user, body.name)
      audit({ targets: [user.id], before: { name: user.name }, after: { name: renamed.name } })
      await identity.changed({ user: user.id })
      return shown(deps, caller, renamed)
    },
  }),
  route({
    method: 'post',
    path: '/v1/me/password',
    access: 'user',
    operationId: 'changePassword',
    summary: 'Change your password; all your other sessions end',
    tag,
    body: z.strictObject({ current_password: currentPassword, password }),
    status: 204,
    problems: ['invalid_field', 'too_many_attempts', 'overloaded'],
    handle: async ({ deps, caller, body, request, audit }) => {
      const { identity } = deps.platform
      const user = await userOf(deps, caller)
      await gatePassword(deps, user, body.current_password, request.ip ?? '')
      audit({ targets: [user.id] })
      await identity.setPassword(user, body.password, personOf(caller).session)
      return undefined
    },
  }),
  route({
    method: 'get',
    path: '/v1/me/export',
    access: 'user',
    operationId: 'exportMe',
    summary: 'All that is kept of you, beside what the audit of your organisations says',
    tag,
    status: 200,
    answer: me.extend({
      password_changed_at: z.iso.datetime().nullable(),
      sessions: z.array(
        z.object({
          id: z.string(),
          created_at: z.iso.datetime(),
          used_at: z.iso.datetime(),
          address: z.string().nullable(),
          agent: z.string().nullable(),
        }),
      ),
    }),
    handle: async ({ deps, caller, response }) => {
      const { identity } = deps.platform
      const user = await userOf(deps, caller)
      const [own, sessions, changedAt] = await Promise.all([
        shown(deps, caller, user),
        identity.sessionsOf(user.id),
        identity.users.passwordChangedAt(user.id),
      ])
      response.set('cache-control', 'no-store')
      const time = (ms: number): string => new Date(ms).toISOString()
      return {
        ...own,
        password_changed_at: changedAt === undefined ? null : time(changedAt),
        sessions: sessions.map(({ id, beganAt, usedAt, address, agent }) => {
          return { id, created_at: time(beganAt), used_at: time(usedAt), address, agent }
        }),
      }
    },
  }),
  route({
    method: 'post',
    path: '/v1/me/erase',
    access: 'user',
    operationId: 'eraseMe',
    summary: 'Delete your account: memberships, sessions, password; the e-mail address is free again',
    tag,
    body: z.strictObject({ current_password: currentPassword }),
    status: 204,
    problems: ['invalid_field', 'last_admin', 'too_many_attempts', 'overloaded'],
    handle: async ({ deps, caller, body, request, audit }) => {
      const { identity } = deps.platform
      const user = await userOf(deps, caller)
      await gatePassword(deps, user, body.current_password, request.ip ?? '')
      const memberships = await identity.memberships.of(user.id)
      for (const membership of memberships) {
        // oxlint-disable-next-line no-await-in-loop -- all are looked at before anything is deleted
        await gateLastAdmin(deps, membership)
      }
      audit({ targets: [user.id], before: { email: user.email } })
      await Promise.all(memberships.map(({ org }) => identity.memberships.remove(org, user.id)))
      await identity.erase(user)
      return undefined
    },
  }),
]

/** Problem `invalid_field` unless it is the user's; who is signed in may guess as little as who is not. */
async function gatePassword(
  { platform }: ApiDeps,
  user: User,
  given: string,
  address: string,
): Promise<void> {
  const { attempts, users } = platform.identity
  gateAttempts(attempts.begin(user.email, address))
  const { user: verified } = await users.verify(user.email, given)
  if (verified?.id !== user.id) {
    throw new Problem('invalid_field', `current_password: ${notYours}`, {
      errors: [{ field: 'body.current_password', message: notYours }],
    })
  }
  attempts.succeeded(user.email, address)
}

async function userOf({ platform }: ApiDeps, caller: Caller | null): Promise<User> {
  const user = await platform.identity.users.find(personOf(caller).user.id)
  if (user === undefined) throw new Problem('unauthenticated', 'your account was deleted')
  return user
}

async function shown(deps: ApiDeps, caller: Caller | null, user: User): Promise<z.input<typeof me>> {
  const { identity, registry } = deps.platform
  const memberships = await identity.memberships.of(user.id)
  const organisations = await Promise.all(
    memberships.map(async ({ org, role, groups }) => {
      const organisation = await registry.organisations.find(org)
      const listed = groups === null ? null : [...groups]
      return organisation && { id: org, name: organisation.name, role, groups: listed }
    }),
  )
  const { id, email, name, platform } = user
  return {
    id,
    email,
    name,
    platform,
    created_at: new Date(user.createdAt).toISOString(),
    session: personOf(caller).session,
    organisations: organisations.filter((one) => one !== undefined),
  }
}
