import type { NodeMetrics } from './node-metrics.ts'
import type { Probe } from './probe.ts'

/** Whether a host's API is in contact with all processes of the cell that it knows, by its own nats-server. */
export function gateways(metrics: NodeMetrics): Probe {
  return {
    name: 'nats-gateways',
    weight: 'degrade',
    interval: 30,
    timeoutMs: 10_000,
    slowMs: 5000,
    run: async (target, signal) => {
      const samples = await metrics.read(target, signal)
      const value = (name: string): number | undefined => samples.get(name)?.[0]?.value
      if (value('cinque_bus_connected') === 0) throw new Error('no nats-server can be reached')
      if (value('cinque_bus_away') === 1) throw new Error('its own nats-server is away, another one is used')
      const [known, inContact] = [value('cinque_cluster_peers'), value('cinque_cluster_peers_in_contact')]
      if (known === undefined || inContact === undefined) return undefined
      if (inContact < known) {
        throw new Error(`out of contact with ${known - inContact} of ${known} processes of the cell`)
      }
      return { processes: known }
    },
  }
}
