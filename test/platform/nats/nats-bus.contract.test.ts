import { Metrics } from '#platform/metrics.ts'
import { openNatsBus } from '#platform/nats/nats-bus.ts'
import { busContract } from '../cluster/bus-contract.ts'
import { Lines, Mesh } from './mesh.ts'

for (const count of [1, 4])
  busContract(`NATS, ${count} ${count === 1 ? 'server' : 'servers meshed by gateways'}`, async () => {
    const mesh = await Mesh.start(count)
    let next = 0
    return {
      open: (address) => {
        const own = next++ % count
        return openNatsBus({
          servers: [mesh.address(own), mesh.address((own + 1) % count)],
          address,
          tls: { caFile: mesh.caFile },
          nkeySeed: mesh.user.seed,
          log: new Lines().log,
          metrics: new Metrics(),
        })
      },
      remove: () => mesh.remove(),
    }
  })
