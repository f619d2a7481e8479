import { migrate, type MigrateOptions } from '#cassandra/migrate.ts'
import cassandra from 'cassandra-driver'
import { connect } from '#cassandra/store/connection.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import type { Logger } from '#platform/log.ts'
import { keyspace } from './parts.ts'

/** Tables made in the first DC alone are known by this row, which all DCs must have (cassandra/schema/version.ts). */
const versionTable = 'schema_version'
/** Nodes that have all just started on few cores answer late. */
const readTimeoutMs = 30_000

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
  const { contactPoints, localDc, replication } = optionsOf(inventory, log)
  const client = await connect({ contactPoints, localDc, keyspace, log, readTimeoutMs })
  try {
    const replicas = Object.entries(replication).map(([dc, count]) => `'${dc}': ${count}`)
    const to = `{'class': 'NetworkTopologyStrategy', ${replicas.join(', ')}}`
    const rows = await client.execute(`SELECT JSON * FROM ${versionTable}`)
    await client.execute(`ALTER KEYSPACE ${keyspace} WITH replication = ${to}`, [], { prepare: false })
    for (const row of rows.rows) {
      await client.execute(`INSERT INTO ${versionTable} JSON ?`, [row['[json]']], {
        consistency: cassandra.types.consistencies.all,
      })
    }
  } finally {
    await client.shutdown()
  }
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
