import { keyHash, newKey } from '#platform/auth/keys.ts'
import type { Platform } from '#platform/platform.ts'
import type { Secrets } from './dev-files.ts'

const firstDevice = 'thermo-1'

/**
 * What `cinque dev` shows: the API token, and the device made at the first start with its key. A device whose key
 * was changed since, or that was deleted, is left out.
 */
export async function developerSecrets(
  { registry: { devices }, audit }: Platform,
  organisation: string,
  kept: Secrets | undefined,
): Promise<Secrets> {
  if (kept !== undefined) {
    const { token, device } = kept
    const found = device && (await devices.findByKey(organisation, device.id, keyHash(device.key)))
    return { token, device: found ? device : null }
  }
  const token = newKey('token')
  // The file with the secrets was deleted: a key can't be shown again.
  const { devices: existing } = await devices.list(organisation, { limit: 1 })
  if (existing.length > 0) return { token, device: null }
  const actor = { kind: 'system', id: 'dev', name: 'cinque dev' } as const
  const { device, key } = await audit.run(
    { org: organisation, actor, operation: 'createDevice' },
    async () => {
      const value = await devices.create(organisation, { name: firstDevice })
      return { value, targets: [value.device.id], after: { name: firstDevice } }
    },
  )
  return { token, device: { id: device.id, name: device.name, key } }
}
