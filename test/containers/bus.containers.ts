import { Metrics } from '#platform/metrics.ts'
import { openNatsBus } from '#platform/nats/nats-bus.ts'
import { busContract } from '../platform/cluster/bus-contract.ts'
import { Lines } from '../platform/nats/mesh.ts'
import { images } from './images.ts'
import { NatsMesh } from './nats-mesh.ts'

for (const count of [1, 4])
  busContract(
    `${images.nats}, ${count} ${count === 1 ? 'server' : 'servers meshed by gateways'}`,
    async () => {
      const mesh = await NatsMesh.start(count)
      let next = 0
      return {
        open: (address) => {
          const own = next++ % count
          return openNatsBus({
            servers: [mesh.server(own), mesh.server((own + 1) % count)],
            address,
            tls: { caFile: mesh.caFile },
            nkeySeed: mesh.user.seed,
            log: new Lines().log,
            metrics: new Metrics(),
          })
        },
        remove: () => mesh.remove(),
      }
    },
  )
