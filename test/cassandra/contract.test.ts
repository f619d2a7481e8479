import { createTable } from '#cassandra/schema/ddl.ts'
import { openCassandraStore } from '#cassandra/store/store.ts'
import type { AnyTable } from '#platform/store/table.ts'
import { storeContract } from '../platform/store/contract.ts'
import { every, fading, ordered, single, stamped } from '../platform/store/tables.ts'
import { keyspace, sharedNode, silent, startTimeoutMs } from './node.ts'

const tables: AnyTable[] = [every, single, ordered, stamped, fading]

describe('on a real node', () => {
  before(async function () {
    this.timeout(startTimeoutMs)
    const { admin } = await sharedNode()
    for (const table of tables) await admin.execute(createTable(table))
  })

  storeContract({
    name: 'Cassandra',
    ordered: false,
    clocked: false,
    open: async () => {
      const { ip, admin } = await sharedNode()
      const store = await openCassandraStore({
        contactPoints: [ip],
        localDc: 'dc01',
        keyspace,
        log: silent,
        tables,
      })
      const remove = async (): Promise<void> => {
        for (const { name } of tables) {
          const { rows } = await admin.execute(`SELECT * FROM ${name} LIMIT 1`)
          if (rows.length > 0) await admin.execute(`TRUNCATE ${name}`)
        }
      }
      return { store, remove }
    },
  })
})
