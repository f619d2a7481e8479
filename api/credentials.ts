import { z } from 'zod'
import { maxGroups } from '#platform/identity/memberships.ts'
import { roles } from '#platform/identity/roles.ts'
import type { Caller } from './callers.ts'
import { Problem } from './problems.ts'

/** What may be granted to a person or a key. */
export const granted = {
  role: z
    .enum(roles)
    .describe(
      'viewer: reads; operator: also commands and desired twins; developer: also devices, groups, credentials; ' +
        'admin: also users, API keys, the organisation',
    ),
  groups: z
    .array(z.string().min(1).max(128))
    .max(maxGroups)
    .nullable()
    .describe('only devices in these groups, by id; null: all devices'),
}

export const email = z.string().min(3).max(320)
export const personName = z.string().min(1).max(200)
export const password = z.string().min(1).max(256).describe('at least 10 characters')
export const oneTime = z.string().min(1).max(256).describe('out of the link')

/**
 * Who is limited cannot make what is not: a key with scopes or an end, and who is an admin for some hours only, get no
 * keys, tokens or people that are without such limits. Problem `forbidden`.
 */
export function gateGrantor(caller: Caller | null): void {
  if (caller?.kind === 'user' && caller.elevated)
    throw new Problem('forbidden', 'a role that is lent for some hours cannot grant access to others')
  if (caller?.kind !== 'key') return
  if (caller.scopes !== null || caller.key.expires)
    throw new Problem('forbidden', 'an API key with scopes or an expiry cannot grant access to others')
}

/** The caller in words, for what he makes. */
export function nameOf(caller: Caller | null): string {
  switch (caller?.kind) {
    case 'user':
    case 'stranger':
      return caller.user.email
    case 'key':
      return `API key ${caller.key.name}`
    case 'organisation':
      return "the organisation's token"
    default:
      return "the platform's token"
  }
}
