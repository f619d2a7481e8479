import cassandra from 'cassandra-driver'
import { type MigrateOptions, replicationCql } from './migrate.ts'
import { StoreError } from '#platform/store/store.ts'
import { connect } from './store/connection.ts'
import { storeError } from './store/failures.ts'

/** Tables made in one DC alone are known by its rows, which all DCs must have (schema/version.ts). */
const versionTable = 'schema_version'
/** Nodes that have all just started on few cores answer late. */
const readTimeoutMs = 30_000

/**
 * Gives all DCs their replicas of a keyspace that `migrate` made for one DC alone, while no other had a node: nodes that
 * join later take its tables whole, which is quicker by far than their agreeing on each of them. For a keyspace without
 * rows but its version; all nodes must be up. Run again it changes nothing.
 *
 * @throws StoreError
 */
export async function spread(options: Omit<MigrateOptions, 'directory'>): Promise<void> {
  const { keyspace, replication, ...connection } = options
  const client = await connect({ ...connection, readTimeoutMs })
  try {
    await checkAlone(client, options)
    const { rows } = await client.execute(`SELECT JSON * FROM ${keyspace}.${versionTable}`)
    await client.execute(`ALTER KEYSPACE ${keyspace} WITH replication = ${replicationCql(replication)}`, [], {
      prepare: false,
    })
    for (const row of rows) {
      // oxlint-disable-next-line no-await-in-loop -- a dozen, once
      await client.execute(`INSERT INTO ${keyspace}.${versionTable} JSON ?`, [row['[json]']], {
        consistency: cassandra.types.consistencies.all,
      })
    }
  } catch (error) {
    throw storeError(error, 'change the schema')
  } finally {
    await client.shutdown()
  }
}

/** A keyspace that several DCs have may have rows, which a new one would have to be given first. */
async function checkAlone(
  client: cassandra.Client,
  { keyspace, replication }: Pick<MigrateOptions, 'keyspace' | 'replication'>,
): Promise<void> {
  const { rows } = await client.execute(
    'SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?',
    [keyspace],
  )
  if (rows.length === 0) {
    throw new StoreError(
      'version',
      `there is no keyspace ${keyspace}: run \`cinque schema apply --alone\` first`,
    )
  }
  const has = Object.keys(rows[0].replication as Record<string, string>).filter((name) => name !== 'class')
  const isSpread = has.toSorted().join() === Object.keys(replication).toSorted().join()
  if (has.length === 1 || isSpread) return
  throw new StoreError(
    'version',
    `keyspace ${keyspace} has replicas in ${has.join(', ')}: one more DC needs its rows first (nodetool rebuild)`,
  )
}
