import { z } from 'zod'
import { platformSpace } from '#platform/audit/audit.ts'
import { note } from '../audit.ts'
import { email, oneTime, password, personName } from '../credentials.ts'
import { route, type Route } from '../route.ts'

export const setup: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/setup',
    access: 'public',
    operationId: 'setUp',
    summary: 'Create the first administrator, by the link that a new platform prints; once',
    tag: 'setup',
    body: z.strictObject({ token: oneTime, email, name: personName.optional(), password }),
    status: 201,
    answer: z.object({ user: z.string().describe('id'), email: z.string(), organisation: z.string() }),
    problems: [
      'token_invalid',
      'invalid_field',
      'setup_done',
      'email_taken',
      'overloaded',
      'outcome_unknown',
    ],
    handle: async ({ deps, body, request, response }) => {
      const { token, ...input } = body
      const { identity, organisation } = deps.platform
      const user = await identity.setup.create(token, input, organisation)
      const actor = { kind: 'user', id: user.id, name: user.email } as const
      const orgs = [platformSpace, organisation]
      const after = { user: user.id, email: user.email, platform: true }
      await note(
        { deps, request, response },
        { operation: 'setUp', actor, orgs, targets: [user.id], after, outcome: 'done' },
      )
      return { user: user.id, email: user.email, organisation }
    },
  }),
]
