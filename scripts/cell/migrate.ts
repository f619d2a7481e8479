import { migrate } from '#cassandra/migrate.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import type { Logger } from '#platform/log.ts'
import { keyspace } from './parts.ts'

/** Brings the schema of the cell's Cassandra up to date; all its nodes must be up. */
export async function migrateCell({ dcs, hosts }: Inventory, log: Logger): Promise<void> {
  const [first] = dcs
  await migrate({
    contactPoints: hosts
      .filter(({ dc, roles }) => dc === first.name && roles.includes('db'))
      .map(({ address }) => address),
    localDc: first.name,
    keyspace,
    replication: Object.fromEntries(dcs.map(({ name, replicas }) => [name, replicas])),
    log,
  })
}
