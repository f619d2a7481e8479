import type { EventEmitter } from 'node:events'
import cassandra from 'cassandra-driver'

/** What the driver's declarations leave out. */
interface PooledHost {
  shutdown(waitForPending: boolean): Promise<void>
}
interface Internals {
  readonly controlConnection: { readonly hosts: EventEmitter & { values(): readonly PooledHost[] } }
}

/**
 * The driver, without what it forgets: when it finds the nodes anew after all were away (4.10, NODEJS-632), it puts new
 * objects in place of its hosts, and the old ones go on connecting for ever, after `shutdown` too.
 */
export class DriverClient extends cassandra.Client {
  #closed = false

  constructor(options: cassandra.DseClientOptions) {
    super(options)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- present in the pinned version; a test would hang
    const { hosts } = (this as unknown as Internals).controlConnection
    hosts.on('remove', (host: PooledHost) => {
      // It also says so of one that it puts in its own place.
      if (!hosts.values().includes(host)) end(host)
    })
    hosts.on('add', (host: PooledHost) => {
      if (this.#closed) end(host)
    })
  }

  override shutdown(): Promise<void> {
    this.#closed = true
    return super.shutdown()
  }
}

/** For good: draining, which `true` asks for, would only let it begin anew. Its requests have failed already. */
function end(host: PooledHost): void {
  host.shutdown(false).catch(() => undefined)
}
