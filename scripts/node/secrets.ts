import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { makeSecrets } from '#scripts/fleet/secrets.ts'
import { CliError } from '#scripts/output.ts'
import type { Place } from './place.ts'

/** What all hosts of the cell share: made once, never anew. */
const shared = [
  'admin-token',
  'cassandra-password',
  'gateway-password',
  'backup.key',
  'authorities/cell/ca.key',
  'authorities/cassandra/ca.key',
]

/** Whether the secrets of a host are there, or can be made here. CliError: neither. */
export function secretsState({ directory }: Place, { name }: Host): 'there' | 'to make' {
  const own = join(directory.path, 'secrets', name)
  if (existsSync(join(own, 'admin-token'))) return 'there'
  const missing = shared.find((file) => !existsSync(join(directory.path, file)))
  if (missing === undefined) return 'to make'
  throw new CliError(
    `its secrets are not in ${own}, and cannot be made: there is no ${join(directory.path, missing)}`,
    {
      exitCode: 2,
      remedy: 'Bring them from where the authorities are (docs/operations/puppet.md: Programs and secrets).',
    },
  )
}

/** Has the cell's authorities make them; what is there stays. */
export async function ensureSecrets(place: Place, inventory: Inventory, host: Host): Promise<void> {
  if (secretsState(place, host) === 'to make')
    await makeSecrets({ ...inventory, hosts: [host] }, place.directory)
}
