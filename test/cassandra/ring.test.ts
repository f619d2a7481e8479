import { expect } from 'chai'
import { Ring } from '#cassandra/store/ring.ts'
import { Metrics } from '#platform/metrics.ts'
import { samplesOf } from '#platform/samples.ts'
import { sharedNode, silent, startTimeoutMs } from './node.ts'

describe('what Cassandra nodes say of the ring', function () {
  this.timeout(startTimeoutMs)

  it('is how many schemas there are, so that nothing is restarted while they differ', async () => {
    const { admin: client } = await sharedNode()
    const metrics = new Metrics()
    const ring = new Ring({ client, localDc: 'dc01', metrics, log: silent })
    try {
      expect(samplesOf(metrics.render()).get('cinque_cassandra_schemas')).to.deep.equal([
        { labels: {}, value: -1 },
      ])
      // The first look is under way, and is waited for.
      while (metrics.render().includes('cinque_cassandra_schemas -1')) {
        // oxlint-disable-next-line no-await-in-loop -- until it has looked
        await ring.look()
        // oxlint-disable-next-line no-await-in-loop
        await new Promise((soon) => setImmediate(soon))
      }
      const page = samplesOf(metrics.render())
      expect(page.get('cinque_cassandra_schemas')).to.deep.equal([{ labels: {}, value: 1 }])
      expect(page.get('cinque_cassandra_hint_files') ?? []).to.deep.equal([])
    } finally {
      ring.close()
    }
  })
})
