import { timingSafeEqual } from 'node:crypto'
import type { Request } from 'express'
import { keyHash } from '#platform/auth/keys.ts'
import type { DeviceRef } from '#platform/auth/principal.ts'
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
  | ({ readonly kind: 'user' } & SignedIn & Granted)
  /** A user who is in no organisation, or not in the one that the request is about. */
  | ({ readonly kind: 'stranger' } & SignedIn)
  | ({
      readonly kind: 'key'
      readonly key: { readonly id: string; readonly name: string }
      /** `<tag>:read`, `<tag>:write`; null: all that its role may. */
      readonly scopes: readonly string[] | null
    } & Granted)
  | { readonly kind: 'device'; readonly organisation: Organisation; readonly device: DeviceRef }

const scheme = /^(?:bearer|device) +([\x21-\x7e]{1,256}) *$/i

/**
 * The caller by the Authorization header: `Bearer` with the admin token, an organisation's token or a device key, or
 * `Device` with a device key. Problem `unauthenticated` otherwise; it does not say which part was wrong.
 */
export async function authenticate(deps: ApiDeps, request: Pick<Request, 'headers'>): Promise<Caller> {
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
  if (timingSafeEqual(keyHash(key), keyHash(deps.adminToken))) return { kind: 'platform' }
  const owner = await deps.platform.registry.findKey(key)
  if (owner?.kind === 'token') return { kind: 'organisation', organisation: owner.organisation }
  if (owner?.kind === 'device') return owner
  throw new Problem('unauthenticated', 'the token or key is unknown; it may have been rotated or deleted')
}
