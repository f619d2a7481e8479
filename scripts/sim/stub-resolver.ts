import { Resolver } from 'node:dns/promises'
import type { LookupAddress } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'

export interface StubResolverOptions {
  /** `192.0.2.1` or `192.0.2.1:5353`; the next is asked where one does not answer. */
  readonly servers: readonly string[]
  /** Own address that questions come from: by it a server knows the place. */
  readonly from?: string | undefined
  /** Milliseconds that a server has for its answer. */
  readonly timeoutMs?: number | undefined
  /** Milliseconds that only grow. */
  readonly now?: (() => number) | undefined
}

interface Kept {
  readonly addresses: readonly string[]
  readonly until: number
}

/** Of names that are asked for again and again; more are not kept. */
const maxNames = 1000

/**
 * Finds the addresses of a name as a device should: asks the name servers it was given, keeps an answer for its TTL and
 * no longer, and asks again for each connection after that.
 */
export class StubResolver {
  readonly #resolver: Resolver
  readonly #now: () => number
  readonly #kept = new Map<string, Kept>()
  readonly #asking = new Map<string, Promise<readonly string[]>>()

  /** Throws an Error if a server is no address. */
  constructor({ servers, from, timeoutMs = 1000, now = () => performance.now() }: StubResolverOptions) {
    this.#resolver = new Resolver({ timeout: timeoutMs, tries: 2 })
    this.#resolver.setServers(servers)
    if (from !== undefined) this.#resolver.setLocalAddress(from)
    this.#now = now
  }

  /** IPv4 addresses in the order of the answer; rejects with an Error with `code` when there are none, or no answer comes. */
  resolve(name: string): Promise<readonly string[]> {
    const kept = this.#kept.get(name)
    if (kept !== undefined && kept.until > this.#now()) return Promise.resolve(kept.addresses)
    const asking = this.#asking.get(name) ?? this.#ask(name)
    this.#asking.set(name, asking)
    return asking
  }

  /** For `net.connect` and `tls.connect`. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    const family = isIP(hostname)
    const found = family === 0 ? this.resolve(hostname) : Promise.resolve([hostname])
    found.then(
      (addresses) => {
        const all = addresses.map((address): LookupAddress => ({ address, family: isIP(address) }))
        if (options.all === true) callback(null, all)
        else callback(null, all[0].address, all[0].family)
      },
      (error: NodeJS.ErrnoException) => callback(error, ''),
    )
  }

  async #ask(name: string): Promise<readonly string[]> {
    try {
      const found = await this.#resolver.resolve4(name, { ttl: true })
      const addresses = found.map(({ address }) => address)
      const ttl = Math.min(...found.map((one) => one.ttl))
      if (this.#kept.size >= maxNames) this.#kept.clear()
      this.#kept.set(name, { addresses, until: this.#now() + ttl * 1000 })
      return addresses
    } finally {
      this.#asking.delete(name)
    }
  }
}
