import { cassandraContract } from '../cassandra/store-contract.ts'
import { startTimeoutMs } from '../cassandra/node.ts'
import { type ContainerNode, startCassandra } from './cassandra-node.ts'
import { images } from './images.ts'

describe(`on ${images.cassandra}`, () => {
  let node: ContainerNode

  before(async function () {
    this.timeout(startTimeoutMs)
    node = await startCassandra()
  })

  after(() => node?.remove())

  cassandraContract('Cassandra in a container', async () => node)
})
