import { z } from 'zod'
import type { Invitation } from '#platform/identity/invitations.ts'
import { roles } from '#platform/identity/roles.ts'
import { note } from '../audit.ts'
import { email, gateGrantor, granted, nameOf, oneTime, password, personName } from '../credentials.ts'
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../paging.ts'
import { route, type Route } from '../route.ts'
import { organisationOf, organisationQuery } from '../scope.ts'

const invitation = z
  .object({
    id: z.string(),
    email: z.string(),
    role: z.enum(roles),
    groups: granted.groups,
    invited_by: z.string(),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime(),
  })
  .meta({ id: 'Invitation' })
const query = z.strictObject(organisationQuery)
const tag = 'users'

export const invitations: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/invitations',
    access: 'admin',
    operationId: 'inviteUser',
    summary: 'Invite a person by e-mail; the link is good once, for 7 days',
    tag,
    query,
    body: z.strictObject({
      email,
      role: granted.role.default('viewer'),
      groups: granted.groups.default(null),
    }),
    status: 201,
    answer: invitation,
    problems: ['invalid_field', 'organisation_not_found', 'limit_reached', 'overloaded'],
    handle: async ({ deps, caller, query: { organisation }, body, response }) => {
      gateGrantor(caller)
      const { id: org, name } = await organisationOf(deps, caller, organisation)
      const { identity } = deps.platform
      const invitedBy = nameOf(caller)
      const words = `${invitedBy} invites you to the organisation "${name}" as ${body.role}. The link is good for 7 days:`
      const made = await identity.invitations.create(
        org,
        { ...body, invitedBy },
        ({ invitation: { email: to }, token }) => identity.letters.send('invitation', to, token, words),
      )
      // Now that the link opens something.
      deps.platform.outboxWorker.wake()
      response.location(`/v1/invitations/${made.id}`)
      return shown(made)
    },
  }),
  route({
    method: 'get',
    path: '/v1/invitations',
    access: 'admin',
    summary: 'List open invitations, in no particular order',
    tag,
    query: z.strictObject({ ...pageQuery, ...organisationQuery }),
    status: 200,
    answer: pageOf(invitation),
    problems: ['organisation_not_found'],
    handle: async ({ deps, caller, query: { organisation, limit, cursor } }) => {
      const { id: org } = await organisationOf(deps, caller, organisation)
      const after = cursor === undefined ? undefined : decodeCursor(cursor, z.string().max(64))
      const page = await deps.platform.identity.invitations.list(org, { limit, after })
      return {
        items: page.invitations.map(shown),
        next: page.next === null ? null : encodeCursor(page.next),
      }
    },
  }),
  route({
    method: 'delete',
    path: '/v1/invitations/{invitation}',
    access: 'admin',
    summary: 'Take an invitation back; its link is good no more',
    tag,
    params: z.strictObject({ invitation: z.string().min(1).max(64) }),
    query,
    status: 204,
    problems: ['organisation_not_found', 'invitation_not_found'],
    handle: async ({ deps, caller, params, query: { organisation }, audit }) => {
      const { id: org } = await organisationOf(deps, caller, organisation)
      const gone = await deps.platform.identity.invitations.delete(org, params.invitation)
      audit({ before: shown(gone) })
      return undefined
    },
  }),
  route({
    method: 'post',
    path: '/v1/invitations/accept',
    access: 'public',
    operationId: 'acceptInvitation',
    summary: 'Become a member, by the link of an invitation; makes an account if the address has none',
    tag,
    body: z.strictObject({
      token: oneTime,
      name: personName.optional().describe('of a new account; default: the e-mail address'),
      password: password.optional().describe('of a new account, at least 10 characters; else not looked at'),
    }),
    status: 200,
    answer: z.object({
      user: z.string().describe('id'),
      email: z.string(),
      organisation: z.string(),
      role: z.enum(roles),
      existing: z.boolean().describe('the address had an account, whose password has not changed'),
    }),
    problems: ['token_invalid', 'invalid_field', 'limit_reached', 'overloaded'],
    handle: async ({ deps, body, request, response }) => {
      const { identity } = deps.platform
      const { user, invitation: accepted, existing } = await identity.invitations.accept(body.token, body)
      const { org, role, groups } = accepted
      const actor = { kind: 'user', id: user.id, name: user.email } as const
      const after = { user: user.id, email: user.email, role, groups, invited_by: accepted.invitedBy }
      await note(
        { deps, request, response },
        {
          operation: 'acceptInvitation',
          actor,
          orgs: [org],
          targets: [accepted.id],
          after,
          outcome: 'done',
        },
      )
      await identity.changed({ user: user.id })
      return { user: user.id, email: user.email, organisation: org, role, existing }
    },
  }),
]

function shown(one: Invitation): z.input<typeof invitation> {
  return {
    id: one.id,
    email: one.email,
    role: one.role,
    groups: one.groups === null ? null : [...one.groups],
    invited_by: one.invitedBy,
    created_at: new Date(one.createdAt).toISOString(),
    expires_at: new Date(one.expiresAt).toISOString(),
  }
}
