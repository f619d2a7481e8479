import type { NodeMetrics } from './node-metrics.ts'
import type { Probe } from './probe.ts'

/** Whether Cassandra has all of its nodes, as the driver of the host's API sees the ring. */
export function cassandra(metrics: NodeMetrics): Probe {
  return {
    name: 'cassandra',
    weight: 'degrade',
    interval: 30,
    timeoutMs: 10_000,
    slowMs: 5000,
    run: async (target, signal) => {
      const samples = await metrics.read(target, signal)
      if (samples.get('cinque_cassandra_up')?.[0]?.value === 0) {
        throw new Error(`Cassandra of ${target.dc.name} does not answer`)
      }
      const nodes = samples.get('cinque_cassandra_nodes') ?? []
      const down = nodes.filter(({ labels, value }) => labels.state === 'down' && value > 0)
      if (down.length > 0) {
        const where = down.map(({ labels, value }) => `${value} in ${labels.dc}`).join(', ')
        throw new Error(`Cassandra nodes are down: ${where}`)
      }
      const up = nodes.reduce((sum, { labels, value }) => sum + (labels.state === 'up' ? value : 0), 0)
      return nodes.length === 0 ? undefined : { nodes: up }
    },
  }
}
