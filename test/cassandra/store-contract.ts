import type cassandra from 'cassandra-driver'
import { createTable } from '#cassandra/schema/ddl.ts'
import { openCassandraStore } from '#cassandra/store/store.ts'
import type { AnyTable } from '#platform/store/table.ts'
import { storeContract } from '../platform/store/contract.ts'
import { every, fading, ordered, single, stamped } from '../platform/store/tables.ts'
import { keyspace, silent, startTimeoutMs } from './node.ts'

const tables: AnyTable[] = [every, single, ordered, stamped, fading]

/** A node with our schema, wherever it runs. */
interface Ground {
  /** `address` or `address:port` */
  readonly contactPoint: string
  /** Connected to our keyspace. */
  readonly admin: cassandra.Client
}

/** The contract of `Store` on Cassandra; `ground` is asked for each test, and may start the node when first asked. */
export function cassandraContract(name: string, ground: () => Promise<Ground>): void {
  before(async function () {
    this.timeout(startTimeoutMs)
    const { admin } = await ground()
    for (const table of tables) await admin.execute(createTable(table))
  })

  storeContract({
    name,
    ordered: false,
    clocked: false,
    open: async () => {
      const { contactPoint, admin } = await ground()
      const store = await openCassandraStore({
        contactPoints: [contactPoint],
        localDc: 'dc01',
        keyspace,
        log: silent,
        tables,
      })
      const remove = async (): Promise<void> => {
        for (const { name: tableName } of tables) {
          const { rows } = await admin.execute(`SELECT * FROM ${tableName} LIMIT 1`)
          if (rows.length > 0) await admin.execute(`TRUNCATE ${tableName}`)
        }
      }
      return { store, remove }
    },
  })
}
