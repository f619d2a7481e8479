import { sharedNode } from './node.ts'
import { cassandraContract } from './store-contract.ts'

describe('on a real node', () => {
  cassandraContract('Cassandra', async () => {
    const { ip, admin } = await sharedNode()
    return { contactPoint: ip, admin }
  })
})
