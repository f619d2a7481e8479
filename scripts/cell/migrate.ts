import { migrate, type MigrateOptions } from '#cassandra/migrate.ts'
import { spread } from '#cassandra/spread.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import type { Logger } from '#platform/log.ts'
import { keyspace } from './parts.ts'

/**
 * Makes the schema while only the first node of all runs: those that join later take it whole, which is quicker by far
 * than their agreeing on each table. For a cell without data; `spreadSchema` ends it.
 */
export async function makeSchema(inventory: Inventory, log: Logger): Promise<void> {
  const options = optionsOf(inventory, log)
  await migrate({ ...options, replication: { [options.localDc]: 1 } })
}

/** Gives all DCs their replicas of the schema that `makeSchema` made; all nodes must be up. */
export async function spreadSchema(inventory: Inventory, log: Logger): Promise<void> {
  await spread(optionsOf(inventory, log))
}

/** Brings the schema of a cell with data up to date; all nodes must be up. */
export async function updateSchema(inventory: Inventory, log: Logger): Promise<void> {
  await migrate(optionsOf(inventory, log))
}

function optionsOf({ dcs, hosts }: Inventory, log: Logger): Omit<MigrateOptions, 'credentials' | 'tls'> {
  const [first] = dcs
  const contactPoints = hosts
    .filter(({ dc, roles }) => dc === first.name && roles.includes('db'))
    .map(({ address }) => address)
    .slice(0, 1)
  const replication = Object.fromEntries(dcs.map(({ name, replicas }) => [name, replicas]))
  return { contactPoints, localDc: first.name, keyspace, replication, log }
}
