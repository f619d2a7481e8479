import { z } from 'zod'
import { platformSpace } from '#platform/audit/audit.ts'
import { accountPage, accountPolicy } from '../account-page.ts'
import { note } from '../audit.ts'
import { email, oneTime, password, personName } from '../credentials.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'

const tag = 'setup'

export const setup: readonly Route[] = [
  route({
    method: 'get',
    path: '/account',
    access: 'public',
    operationId: 'getAccountPage',
    summary: 'The page that links lead to: first administrator, invitation, new password',
    tag,
    status: 200,
    stream: 'text/html',
    handle: ({ response }) => {
      response.set({
        'content-security-policy': accountPolicy,
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
      })
      response.type('html').send(accountPage)
      return undefined
    },
  }),
  route({
    method: 'post',
    path: '/v1/setup/links',
    access: 'platform',
    operationId: 'createSetupLink',
    summary: 'Another link for the first administrator: for half an hour, good once',
    tag,
    status: 201,
    answer: z.object({ link: z.string(), token: z.string() }),
    problems: ['setup_done'],
    handle: async ({ deps }) => {
      const { setup: service, letters } = deps.platform.identity
      const token = await service.issue()
      if (token === null)
        throw new Problem('setup_done', 'there is an administrator already; ask to be invited')
      return { link: letters.link('setup', token), token }
    },
  }),
  route({
    method: 'post',
    path: '/v1/setup',
    access: 'public',
    operationId: 'setUp',
    summary: 'Create the first administrator, by the link that a new platform prints; once',
    tag,
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
