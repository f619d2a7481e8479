import type { Gate } from './gate.ts'
import type { HostPages } from './host-pages.ts'

/** Every other app host has its own nats-server, and by the gateways is in contact with all processes of the cell. */
export function bus(pages: HostPages): Gate {
  return {
    name: 'NATS',
    look: async (host) =>
      (await pages.others(host)).flatMap(({ host: other, samples }) => {
        const of = (name: string): number | undefined => samples.get(name)?.[0]?.value
        if (of('cinque_bus_connected') === 0) return [`${other} reaches no nats-server`]
        if (of('cinque_bus_away') === 1) return [`${other} goes by the nats-server of another host`]
        const missing = (of('cinque_cluster_peers') ?? 0) - (of('cinque_cluster_peers_in_contact') ?? 0)
        return missing > 0 ? [`${other} is out of contact with ${missing} processes of the cell`] : []
      }),
  }
}
