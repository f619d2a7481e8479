import { z } from 'zod'
import { newId } from '#platform/auth/keys.ts'
import { normalEmail } from '#platform/identity/users.ts'
import { note } from '../audit.ts'
import { email, oneTime, password } from '../credentials.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'
import { gateAttempts, orgsOf } from './sessions.ts'

const tag = 'sessions'

export const passwordResets: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/password-resets',
    access: 'public',
    operationId: 'requestPasswordReset',
    summary:
      'Send a link for a new password; the answer is the same whether or not the address has an account',
    tag,
    body: z.strictObject({ email }),
    status: 202,
    answer: z.object({ message: z.string() }),
    problems: ['invalid_field', 'too_many_attempts', 'overloaded'],
    handle: async ({ deps, body, request }) => {
      const { identity } = deps.platform
      const address = normalEmail(body.email)
      gateAttempts(identity.letterAttempts.begin(address, request.ip ?? ''))
      const user = await identity.users.findByEmail(address)
      // Of nobody too, so that it takes as long; such a token opens nothing.
      const { token } = await identity.tokens.issue('reset', { user: user?.id ?? newId() })
      const words = 'Somebody, you we hope, asked for a new password. The link is good for an hour, once:'
      await identity.letters.send('reset', user?.email ?? null, token, words)
      return { message: 'if the address has an account, a link is on its way; it is good for an hour' }
    },
  }),
  route({
    method: 'post',
    path: '/v1/password-resets/confirm',
    access: 'public',
    operationId: 'confirmPasswordReset',
    summary: 'Set a new password, by the link that was sent; all sessions end',
    tag,
    body: z.strictObject({ token: oneTime, password }),
    status: 204,
    problems: ['token_invalid', 'invalid_field', 'overloaded'],
    handle: async ({ deps, body, request, response }) => {
      const { identity } = deps.platform
      const { user: id } = await identity.tokens.read('reset', body.token)
      const user = id === undefined ? undefined : await identity.users.find(id)
      if (user === undefined)
        throw new Problem('token_invalid', 'the link is good no more; ask for another one')
      await identity.setPassword(user, body.password)
      await identity.tokens.use('reset', body.token)
      const actor = { kind: 'user', id: user.id, name: user.email } as const
      const orgs = await orgsOf(deps, user.id)
      const entry = { operation: 'confirmPasswordReset', actor, orgs, targets: [user.id] }
      await note({ deps, request, response }, { ...entry, outcome: 'done', personal: true })
      return undefined
    },
  }),
]
