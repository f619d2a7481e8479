import { connect } from 'node:net'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { errorCode } from '#scripts/output.ts'
import type { Gate } from './gate.ts'
import type { HostPages } from './host-pages.ts'

const cqlPort = 9042
const connectMs = 2000

/**
 * Every Cassandra node is up and normal, as each DC sees it; but for the one of the host itself, which may be why
 * somebody wants to do something about it.
 */
export function cassandraNodes(pages: HostPages, inventory: Pick<Inventory, 'hosts'>): Gate {
  return {
    name: 'Cassandra',
    look: async (host) => {
      const own = inventory.hosts.find(({ name }) => name === host)
      const down = new Map<string, number>()
      const lines: string[] = []
      for (const { host: other, samples } of await pages.others(host)) {
        if (samples.get('cinque_cassandra_up')?.[0]?.value === 0)
          lines.push(`Cassandra does not answer ${other}`)
        for (const { labels, value } of samples.get('cinque_cassandra_nodes') ?? [])
          if (labels.state === 'down') down.set(labels.dc, Math.max(down.get(labels.dc) ?? 0, value))
      }
      for (const [dc, count] of down) {
        if (count === 0) continue
        const itself = own?.dc === dc && own.roles.includes('db') && count === 1
        // oxlint-disable-next-line no-await-in-loop -- one DC at most
        if (itself && (await refuses(own.address))) continue
        lines.push(`${count} Cassandra ${count === 1 ? 'node is' : 'nodes are'} down in ${dc}`)
      }
      return lines
    },
  }
}

/** Nothing listens there, or there is no host. A packet filter that says nothing is no proof of that. */
function refuses(address: string): Promise<boolean> {
  return new Promise((known) => {
    const socket = connect({ host: address, port: cqlPort, timeout: connectMs })
    const end = (answer: boolean): void => {
      socket.destroy()
      known(answer)
    }
    socket.once('connect', () => end(false))
    socket.once('timeout', () => end(false))
    socket.once('error', (error) =>
      end(['ECONNREFUSED', 'EHOSTUNREACH', 'EHOSTDOWN'].includes(errorCode(error) ?? '')),
    )
  })
}
