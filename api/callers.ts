import { timingSafeEqual } from 'node:crypto'
import type { Request } from 'express'
import { keyHash } from '#platform/auth/keys.ts'
import type { DeviceRef } from '#platform/auth/principal.ts'
import type { Organisation } from '#platform/registry/organisations.ts'
import type { ApiDeps } from './deps.ts'
import { Problem } from './problems.ts'

/** Who asks. */
export type Caller =
  | { readonly kind: 'admin' }
  | { readonly kind: 'organisation'; readonly organisation: Organisation }
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
  if (timingSafeEqual(keyHash(key), keyHash(deps.adminToken))) return { kind: 'admin' }
  const owner = await deps.platform.registry.findKey(key)
  if (owner?.kind === 'token') return { kind: 'organisation', organisation: owner.organisation }
  if (owner?.kind === 'device') return owner
  throw new Problem('unauthenticated', 'the token or key is unknown; it may have been rotated or deleted')
}
