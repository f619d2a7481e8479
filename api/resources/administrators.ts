import { z } from 'zod'
import type { User } from '#platform/identity/users.ts'
import type { ApiDeps } from '../deps.ts'
import { pageOf } from '../paging.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'

const administrator = z
  .object({ id: z.string(), email: z.string(), name: z.string() })
  .meta({ id: 'Administrator', description: 'a person who administers the platform: all organisations' })
const params = z.strictObject({ user: z.string().min(1).max(64).describe('id of a user') })
const tag = 'administrators'

/** The first one comes by `POST /v1/setup`. */
export const administrators: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/administrators',
    access: 'platform',
    summary: 'List the administrators of the platform, all at once',
    tag,
    status: 200,
    answer: pageOf(administrator),
    handle: async ({ deps }) => {
      const users = await deps.platform.identity.users.administrators()
      return { items: users.map(shown), next: null }
    },
  }),
  route({
    method: 'put',
    path: '/v1/administrators/{user}',
    access: 'platform',
    operationId: 'putAdministrator',
    summary: 'Make a user an administrator of the platform',
    tag,
    params,
    status: 200,
    answer: administrator,
    problems: ['user_not_found'],
    handle: async ({ deps, params: { user }, audit }) => shown(await change(deps, user, true, audit)),
  }),
  route({
    method: 'delete',
    path: '/v1/administrators/{user}',
    access: 'platform',
    operationId: 'deleteAdministrator',
    summary: 'Make a user an administrator of the platform no more; the account stays',
    tag,
    params,
    status: 204,
    problems: ['user_not_found'],
    handle: async ({ deps, params: { user }, audit }) => {
      await change(deps, user, false, audit)
      return undefined
    },
  }),
]

async function change(
  { platform: { identity } }: ApiDeps,
  id: string,
  platform: boolean,
  audit: (changes: { before: object; after: object }) => void,
): Promise<User> {
  const user = await identity.users.find(id)
  if (user === undefined || (!platform && !user.platform))
    throw new Problem('user_not_found', platform ? `no user "${id}"` : `no administrator "${id}"`)
  const changed = await identity.users.setPlatform(user, platform)
  await identity.changed({ user: id })
  audit({
    before: { email: user.email, platform: user.platform },
    after: { email: user.email, platform },
  })
  return changed
}

function shown({ id, email, name }: User): z.input<typeof administrator> {
  return { id, email, name }
}
