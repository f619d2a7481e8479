import { covers, type Role, roles } from '#platform/identity/roles.ts'
import type { Caller } from './callers.ts'
import { Problem } from './problems.ts'

/**
 * The least that a caller must be:
 *
 * - `public`: anybody
 * - `viewer`, `operator`, `developer`, `admin`: a user or API key with that role in the organisation, or its token, or
 *   the platform's administrator
 * - `device`: a viewer, or the device itself
 * - `device-only`: a device
 * - `user`: somebody who has signed in, whatever he may do; for what is his own
 * - `platform`: an administrator of the platform
 */
export type Access = 'public' | Role | 'device' | 'device-only' | 'user' | 'platform'

/** What the gate looks at of a route. */
interface Guarded {
  readonly access: Access
  readonly method: string
  readonly path: string
  readonly tag: string
  readonly byGroup?: boolean | undefined
}

/** Problem `forbidden` unless the caller may use the route at all. What a handler finds by id is its own to check. */
export function gateAccess(caller: Caller, route: Guarded): void {
  gateRole(caller, route.access)
  gateScope(caller, route)
  gateGroups(caller, route)
}

/** Groups outside of which the caller sees nothing; null: all of the organisation is open to it. */
export function groupsOf(caller: Caller): readonly string[] | null {
  return caller.kind === 'user' || caller.kind === 'key' ? caller.groups : null
}

/** Whether a device of the caller's organisation is in what was granted to it. `groups`: with those around them. */
export function mayTouchDevice(
  caller: Caller,
  device: { readonly id: string; readonly groups?: readonly string[] | undefined },
): boolean {
  if (caller.kind === 'device') return caller.device.id === device.id
  const granted = groupsOf(caller)
  return granted === null || (device.groups ?? []).some((group) => granted.includes(group))
}

const wanted: Readonly<Record<Exclude<Access, 'public' | Role>, string>> = {
  platform: "the platform's administrator is needed",
  user: 'somebody who has signed in is needed, not a token or key',
  device: 'a token, an API key or a device key is needed',
  'device-only': 'the key of a device is needed',
}

function gateRole(caller: Caller, access: Access): void {
  if (access === 'public' || allowed(caller, access)) return
  // What is of an organisation does not exist for others.
  if (caller.kind === 'stranger' && access !== 'platform')
    throw new Problem('organisation_not_found', 'you are not in that organisation')
  throw new Problem('forbidden', isRole(access) ? `the role ${access} is needed` : wanted[access])
}

function allowed(caller: Caller, access: Exclude<Access, 'public'>): boolean {
  const least = access === 'device' ? 'viewer' : access
  switch (caller.kind) {
    case 'device':
      return access === 'device' || access === 'device-only'
    case 'platform':
      return access !== 'device-only' && access !== 'user'
    case 'organisation':
      return isRole(least)
    case 'key':
      return isRole(least) && covers(caller.role, least)
    case 'user':
      if (access === 'user' || (access === 'platform' && caller.platform)) return true
      return isRole(least) && covers(caller.role, least)
    default:
      return access === 'user' || (access === 'platform' && caller.platform)
  }
}

function isRole(access: Access): access is Role {
  return (roles as readonly string[]).includes(access)
}

/** `devices:read`, `*:write`. */
export const scopePattern = /^(?:\*|[a-z][a-z0-9-]{0,31}):(?:read|write)$/

function gateScope(caller: Caller, { method, tag }: Guarded): void {
  if (caller.kind !== 'key' || caller.scopes === null) return
  const verb = method === 'get' ? 'read' : 'write'
  if (caller.scopes.includes(`${tag}:${verb}`) || caller.scopes.includes(`*:${verb}`)) return
  throw new Problem('forbidden', `the API key does not have the scope "${tag}:${verb}"`)
}

/** Who was granted groups only gets no route that is not about one device, unless it says that it looks at them. */
function gateGroups(caller: Caller, { path, access, byGroup }: Guarded): void {
  if (groupsOf(caller) === null || byGroup === true || access === 'user') return
  if (path.includes('/{device}')) return
  throw new Problem(
    'forbidden',
    'only devices of some groups are granted; this is about the whole organisation',
  )
}
