import { z } from 'zod'
import type { DeviceRef } from '#platform/auth/principal.ts'
import type { Organisation } from '#platform/registry/organisations.ts'
import { mayTouchDevice } from './access.ts'
import type { Caller } from './callers.ts'
import type { ApiDeps } from './deps.ts'
import { Problem } from './problems.ts'

/** The query parameter by which the admin says whose things are meant. */
export const organisationQuery = {
  organisation: z
    .string()
    .optional()
    .describe(
      "the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs",
    ),
}

/**
 * The organisation that a request is about: that of the token or key. The admin names one. What others name is
 * compared with theirs, and anything else does not exist for them.
 */
export async function organisationOf(
  deps: ApiDeps,
  caller: Caller | null,
  named?: string,
): Promise<Organisation> {
  if (caller === null) throw new Problem('unauthenticated', 'a token or key is needed')
  if (caller.kind === 'platform')
    return deps.platform.registry.organisations.get(named ?? deps.platform.organisation)
  if (caller.kind === 'stranger' || (named !== undefined && named !== caller.organisation.id)) {
    throw new Problem('organisation_not_found', `no organisation "${named ?? ''}"`)
  }
  return caller.organisation
}

/** The device that a path names by id or name; `me` is the device that asks. A device can only see itself. */
export async function deviceOf(
  deps: ApiDeps,
  caller: Caller | null,
  named: string,
  organisation?: string,
): Promise<DeviceRef> {
  const owner = await organisationOf(deps, caller, organisation)
  if (caller?.kind === 'device') {
    const { device } = caller
    if (named === 'me' || named === device.id || named === device.name) return device
    throw new Problem('device_not_found', `no device "${named}"`)
  }
  const device = await deps.platform.registry.devices.get(owner.id, named)
  // What was not granted does not exist.
  if (caller === null || !mayTouchDevice(caller, device))
    throw new Problem('device_not_found', `no device "${named}"`)
  return device
}

export const deviceParams = z.strictObject({
  device: z.string().min(1).max(128).describe('id or name; `me` with a device key'),
})
