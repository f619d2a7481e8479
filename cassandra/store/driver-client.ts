import type { EventEmitter } from 'node:events'
import cassandra from 'cassandra-driver'

/** What the driver's declarations leave out. */
interface PooledHost {
  shutdown(waitForPending: boolean): Promise<void>
}
interface Hosts extends EventEmitter {
  values(): readonly PooledHost[]
}
interface Metadata {
  readonly initialized: boolean
  readonly keyspaces: Readonly<Record<string, { replicas: unknown }>>
  buildTokens(hosts: Hosts): void
}
interface Internals {
  readonly controlConnection: EventEmitter & { readonly hosts: Hosts; readonly metadata: Metadata }
}

/**
 * The driver, without what it forgets when it finds the nodes anew after all were away (4.10, NODEJS-632). It puts new
 * objects in place of its hosts, but the old ones go on connecting for ever, after `shutdown` too; and its map of which
 * node has which rows keeps the old ones, so that every request that knows its partition goes to a host that is down.
 */
export class DriverClient extends cassandra.Client {
  #closed = false
  #rebuild: NodeJS.Immediate | undefined

  constructor(options: cassandra.DseClientOptions) {
    super(options)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- present in the pinned version; a test would hang
    const { controlConnection } = this as unknown as Internals
    const { hosts } = controlConnection
    hosts.on('remove', (host: PooledHost) => {
      // It also says so of one that it puts in its own place.
      if (!hosts.values().includes(host)) end(host)
      this.#mapLater(controlConnection)
    })
    hosts.on('add', (host: PooledHost) => {
      if (this.#closed) end(host)
      this.#mapLater(controlConnection)
    })
    controlConnection.on('newConnection', () => map(controlConnection))
  }

  override shutdown(): Promise<void> {
    this.#closed = true
    clearImmediate(this.#rebuild)
    return super.shutdown()
  }

  /** A host is told its tokens after it was added. */
  #mapLater(control: Internals['controlConnection']): void {
    clearImmediate(this.#rebuild)
    if (!this.#closed) this.#rebuild = setImmediate(() => map(control))
  }
}

/** Which of the present hosts has which rows; before the first connection the driver does that by itself. */
function map({ hosts, metadata }: Internals['controlConnection']): void {
  if (!metadata.initialized) return
  metadata.buildTokens(hosts)
  // Made again from the tokens when it is next asked for.
  for (const keyspace of Object.values(metadata.keyspaces)) keyspace.replicas = null
}

/** For good: draining, which `true` asks for, would only let it begin anew. Its requests have failed already. */
function end(host: PooledHost): void {
  host.shutdown(false).catch(() => undefined)
}
