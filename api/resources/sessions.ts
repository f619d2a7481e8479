import type { Request } from 'express'
import { z } from 'zod'
import { newId } from '#platform/auth/keys.ts'
import type { SeenFrom, Session, Tokens } from '#platform/identity/sessions.ts'
import { accessSeconds, RefreshReused } from '#platform/identity/sessions.ts'
import { normalEmail } from '#platform/identity/users.ts'
import { note } from '../audit.ts'
import type { Caller } from '../callers.ts'
import { email } from '../credentials.ts'
import type { ApiDeps } from '../deps.ts'
import { pageOf } from '../paging.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'

const tokens = z
  .object({
    session: z.string(),
    access_token: z.string().describe('for "Authorization: Bearer"'),
    expires_in: z.int().describe('seconds that the access token lives'),
    refresh_token: z
      .string()
      .describe('good once, for 30 days; used a second time it ends the session, because two have it'),
  })
  .meta({ id: 'SessionTokens' })
const session = z
  .object({
    id: z.string(),
    current: z.boolean().describe('the one that asks'),
    created_at: z.iso.datetime(),
    used_at: z.iso.datetime().describe('last refresh'),
    address: z.string().nullable(),
    agent: z.string().nullable().describe('what the client calls itself'),
  })
  .meta({ id: 'Session' })
const tag = 'sessions'

export const sessions: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/sessions',
    access: 'public',
    operationId: 'signIn',
    summary: 'Sign in',
    tag,
    body: z.strictObject({ email, password: z.string().min(1).max(256) }),
    status: 201,
    answer: tokens,
    problems: ['wrong_credentials', 'too_many_attempts', 'overloaded'],
    handle: async ({ deps, body, request, response }) => {
      const { identity } = deps.platform
      const account = normalEmail(body.email)
      const address = request.ip ?? ''
      const ended = (result: 'done' | 'wrong' | 'limited'): number =>
        deps.metrics.counter('cinque_sign_ins_total', 'Attempts to sign in, by result', { result }).value++
      const wait = identity.attempts.begin(account, address)
      if (wait > 0) ended('limited')
      gateAttempts(wait)
      const verified = await identity.users.verify(account, body.password)
      const { user, known } = verified
      // A made-up id is asked for, so that it takes as long.
      const orgs = await orgsOf(deps, known?.id ?? newId())
      const entry = { operation: 'signIn', orgs }
      ended(user === null ? 'wrong' : 'done')
      if (user === null) {
        const actor = { kind: 'anonymous', id: known?.id ?? '', name: account } as const
        const denied = { outcome: 'denied', problem: 'wrong_credentials' } as const
        await note({ deps, request, response }, { ...entry, actor, ...denied })
        throw new Problem('wrong_credentials', 'the e-mail address or the password is wrong')
      }
      identity.attempts.succeeded(account, address)
      const begun = await identity.sessions.begin(user.id, verified.epoch, seenFrom(request))
      const actor = { kind: 'user', id: user.id, name: user.email } as const
      const targets = [begun.session]
      await note({ deps, request, response }, { ...entry, actor, targets, outcome: 'done', personal: true })
      response.set('cache-control', 'no-store')
      return shownTokens(begun)
    },
  }),
  route({
    method: 'post',
    path: '/v1/sessions/refresh',
    access: 'public',
    operationId: 'refreshSession',
    summary: 'New tokens for a refresh token, which is good once',
    tag,
    body: z.strictObject({ refresh_token: z.string().min(1).max(256) }),
    status: 200,
    answer: tokens,
    problems: ['unauthenticated'],
    handle: async ({ deps, body, request, response }) => {
      response.set('cache-control', 'no-store')
      try {
        return shownTokens(await deps.platform.identity.refresh(body.refresh_token, seenFrom(request)))
      } catch (error) {
        if (error instanceof RefreshReused) {
          const { user, session: id } = error
          const actor = {
            kind: 'anonymous',
            id: user,
            name: 'whoever has a copy of the refresh token',
          } as const
          const denied = { outcome: 'denied', problem: 'refresh_reused', targets: [id] } as const
          const orgs = await orgsOf(deps, user)
          await note({ deps, request, response }, { operation: 'refreshSession', actor, orgs, ...denied })
        }
        throw error
      }
    },
  }),
  route({
    method: 'get',
    path: '/v1/sessions',
    access: 'user',
    summary: 'Your own sessions, the newest first',
    tag,
    status: 200,
    answer: pageOf(session),
    handle: async ({ deps, caller }) => {
      const { user, session: current } = personOf(caller)
      const items = await deps.platform.identity.sessionsOf(user.id)
      return { items: items.map((one) => shownSession(one, current)), next: null }
    },
  }),
  route({
    method: 'delete',
    path: '/v1/sessions/{session}',
    access: 'user',
    summary: 'Sign out: end one of your own sessions in all datacenters',
    tag,
    params: z.strictObject({
      session: z.string().min(1).max(64).describe('id; `current` is the one that asks'),
    }),
    status: 204,
    problems: ['session_not_found'],
    handle: async ({ deps, caller, params, audit }) => {
      const { user, session: current } = personOf(caller)
      const id = params.session === 'current' ? current : params.session
      const { sessions: service } = deps.platform.identity
      if ((await service.state(user.id, id)) === undefined)
        throw new Problem('session_not_found', `you have no session "${id}"`)
      audit({ targets: [id] })
      await service.end(user.id, id, id === current ? 'signed_out' : 'revoked')
      return undefined
    },
  }),
]

/** Who has signed in. Routes with access `user` have nobody else. */
export function personOf(caller: Caller | null): Extract<Caller, { kind: 'user' | 'stranger' }> {
  if (caller?.kind === 'user' || caller?.kind === 'stranger') return caller
  throw new Problem('forbidden', 'somebody who has signed in is needed')
}

export async function orgsOf(deps: ApiDeps, user: string): Promise<string[]> {
  return (await deps.platform.identity.memberships.of(user)).map(({ org }) => org)
}

/** Problem `too_many_attempts` if there is something to wait for. */
export function gateAttempts(waitMs: number): void {
  if (waitMs === 0) return
  const retryAfter = Math.ceil(waitMs / 1000)
  throw new Problem('too_many_attempts', `too many attempts; try again in ${retryAfter} s`, { retryAfter })
}

function seenFrom(request: Request): SeenFrom {
  return { address: request.ip ?? '', agent: request.get('user-agent') }
}

function shownTokens({ session: id, access, refresh }: Tokens): z.input<typeof tokens> {
  return { session: id, access_token: access, expires_in: accessSeconds, refresh_token: refresh }
}

function shownSession(one: Session, current: string): z.input<typeof session> {
  return {
    id: one.id,
    current: one.id === current,
    created_at: new Date(one.beganAt).toISOString(),
    used_at: new Date(one.usedAt).toISOString(),
    address: one.address,
    agent: one.agent,
  }
}
