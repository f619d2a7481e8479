import { timingSafeEqual } from 'node:crypto'
import type { Request } from 'express'
import { keyHash } from '#platform/auth/keys.ts'
import type { DeviceRef } from '#platform/auth/principal.ts'
import { isApiKey } from '#platform/identity/api-keys.ts'
import type { SignedIn as SignedInUser } from '#platform/identity/identity.ts'
import type { Role } from '#platform/identity/roles.ts'
import type { Organisation } from '#platform/registry/organisations.ts'
import type { ApiDeps } from './deps.ts'
import { Problem } from './problems.ts'

interface SignedIn {
  readonly user: { readonly id: string; readonly email: string; readonly name: string }
  /** Id of the session. */
  readonly session: string
  /** Also an administrator of the platform. */
  readonly platform: boolean
}

/** What somebody may do in the organisation that a request is about. */
interface Granted {
  readonly organisation: Organisation
  readonly role: Role
  /** Ids of the groups whose devices it is for; null: all. */
  readonly groups: readonly string[] | null
}

/** Who asks. */
export type Caller =
  /** The platform's own token. */
  | { readonly kind: 'platform' }
  /** An organisation's token: an admin of it. */
  | { readonly kind: 'organisation'; readonly organisation: Organisation }
  | ({
      readonly kind: 'user'
      /** The role is lent, for some hours. */
      readonly elevated: boolean
    } & SignedIn &
      Granted)
  /** A user who is in no organisation, or not in the one that the request is about. */
  | ({ readonly kind: 'stranger' } & SignedIn)
  | ({
      readonly kind: 'key'
      readonly key: { readonly id: string; readonly name: string; readonly expires: boolean }
      /** `<tag>:read`, `<tag>:write`; null: all that its role may. */
      readonly scopes: readonly string[] | null
    } & Granted)
  | { readonly kind: 'device'; readonly organisation: Organisation; readonly device: DeviceRef }

/** Access tokens of people are longer than keys: some 350 characters. */
const scheme = /^(?:bearer|device) +([\x21-\x7e]{1,1024}) *$/i
const signedToken = /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/

/** What is looked at of a request. */
export type Asking = Pick<Request, 'headers' | 'query' | 'params' | 'ip'>

/**
 * The caller by the Authorization header: `Bearer` with the platform's or an organisation's token, an API key, the
 * access token of a session, or a device key; or `Device` with a device key. Problem `unauthenticated` otherwise; it
 * does not say which part was wrong.
 */
export async function authenticate(deps: ApiDeps, request: Asking): Promise<Caller> {
  const header = request.headers.authorization
  if (header === undefined) {
    throw new Problem(
      'unauthenticated',
      'send "Authorization: Bearer {token}" or "Authorization: Device {key}"',
    )
  }
  const key = scheme.exec(header)?.[1]
  if (key === undefined) {
    throw new Problem(
      'unauthenticated',
      'the Authorization header is neither "Bearer {token}" nor "Device {key}"',
    )
  }
  const caller = await callerOf(deps, key, request)
  if (caller !== undefined) return caller
  throw new Problem(
    'unauthenticated',
    'the token or key is unknown; it may have expired, or been rotated, revoked or deleted',
  )
}

const adminHashes = new WeakMap<ApiDeps, Buffer>()

function adminHash(deps: ApiDeps): Buffer {
  let hash = adminHashes.get(deps)
  if (hash === undefined) adminHashes.set(deps, (hash = keyHash(deps.adminToken)))
  return hash
}

async function callerOf(deps: ApiDeps, key: string, request: Asking): Promise<Caller | undefined> {
  if (timingSafeEqual(keyHash(key), adminHash(deps))) return { kind: 'platform' }
  if (isApiKey(key)) return keyCaller(deps, key, request)
  if (signedToken.test(key)) return userCaller(deps, key, request)
  const owner = await deps.platform.registry.findKey(key)
  if (owner?.kind === 'token') return { kind: 'organisation', organisation: owner.organisation }
  return owner?.kind === 'device' ? owner : undefined
}

async function keyCaller(deps: ApiDeps, secret: string, request: Asking): Promise<Caller | undefined> {
  const { identity, registry } = deps.platform
  const key = await identity.apiKeys.use(secret, request.ip ?? '')
  const organisation = key && (await registry.organisations.find(key.org))
  if (key === undefined || organisation === undefined) return undefined
  const { id, name, role, scopes, groups, expiresAt } = key
  return { kind: 'key', key: { id, name, expires: expiresAt !== null }, organisation, role, scopes, groups }
}

async function userCaller(deps: ApiDeps, access: string, request: Asking): Promise<Caller | undefined> {
  const person = await deps.platform.identity.signedIn(access)
  if (person === undefined) return undefined
  const { id, email, name, platform } = person.user
  const signedIn = { user: { id, email, name }, session: person.session, platform }
  const granted = await grantedTo(deps, person, namedOrganisation(request))
  return granted === undefined ? { kind: 'stranger', ...signedIn } : { kind: 'user', ...signedIn, ...granted }
}

/** What a person may do in the organisation named; without a name in his first one, the platform's own before others. */
async function grantedTo(
  deps: ApiDeps,
  { user, memberships }: SignedInUser,
  named: string | undefined,
): Promise<(Granted & { readonly elevated: boolean }) | undefined> {
  const { organisations } = deps.platform.registry
  const own = deps.platform.organisation
  const candidates =
    named === undefined
      ? memberships.toSorted((a, b) => Number(b.org === own) - Number(a.org === own))
      : memberships.filter(({ org }) => org === named)
  if (user.platform) {
    const organisation = await organisations.find(named ?? candidates[0]?.org ?? own)
    return organisation && { organisation, role: 'admin', groups: null, elevated: false }
  }
  for (const { org, role, standing, groups } of candidates) {
    // oxlint-disable-next-line no-await-in-loop -- the first that was not deleted; nearly always the first
    const organisation = await organisations.find(org)
    if (organisation !== undefined) return { organisation, role, groups, elevated: role !== standing }
  }
  return undefined
}

/** The organisation that a request names in its query or path. */
export function namedOrganisation({ query, params }: Pick<Request, 'query' | 'params'>): string | undefined {
  const named: unknown = params.organisation ?? query.organisation
  return typeof named === 'string' ? named : undefined
}
