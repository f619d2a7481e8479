import { Resolver } from 'node:dns/promises'
import type { Inventory } from '#platform/inventory/inventory.ts'
import type { Probe } from './probe.ts'

/**
 * Asks each name server for a host's own name, whose answer must be its address, and for the names of the service, whose
 * answers must be addresses of the inventory.
 */
export function dnsAnswer({ dns, hosts }: Inventory, servers: readonly string[]): Probe | undefined {
  if (dns === undefined || servers.length === 0) return undefined
  const addresses = new Set(hosts.map(({ address }) => address))
  return {
    name: 'dns',
    weight: 'degrade',
    interval: 60,
    timeoutMs: 10_000,
    slowMs: 1000,
    run: async ({ host }, signal) => {
      const ask = async (server: string, name: string): Promise<readonly string[]> => {
        const resolver = new Resolver({ timeout: 2000, tries: 2 })
        resolver.setServers([server])
        const cancel = (): void => resolver.cancel()
        signal.addEventListener('abort', cancel, { once: true })
        try {
          return await (host.address.includes(':') ? resolver.resolve6(name) : resolver.resolve4(name))
        } catch (error) {
          const code = error instanceof Error && 'code' in error ? String(error.code) : 'no answer'
          throw new Error(`${server} does not know ${name} (${code})`, { cause: error })
        } finally {
          signal.removeEventListener('abort', cancel)
        }
      }
      const own = `${host.name}.${dns.zone}`
      await Promise.all(
        servers.map(async (server) => {
          const [first] = await ask(server, own)
          if (first !== host.address) throw new Error(`${server}: ${own} is ${first}, not ${host.address}`)
          for (const name of dns.names) {
            // oxlint-disable-next-line no-await-in-loop -- few
            const given = await ask(server, `${name}.${dns.zone}`)
            const foreign = given.find((address) => !addresses.has(address))
            if (foreign !== undefined) {
              throw new Error(
                `${server}: ${name}.${dns.zone} is ${foreign}, which is no host of the inventory`,
              )
            }
          }
        }),
      )
      return undefined
    },
  }
}
