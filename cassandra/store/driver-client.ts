import cassandra from 'cassandra-driver'

/** What the driver's declarations leave out. */
interface PooledHost {
  shutdown(waitForPending: boolean): Promise<void>
}

/**
 * The driver, without what it forgets: when it finds the nodes anew after all were away (4.10, NODEJS-632), it puts new
 * objects in place of its hosts, and the old ones go on connecting for ever, after `shutdown` too.
 */
export class DriverClient extends cassandra.Client {
  readonly #hosts = new Set<PooledHost>()
  #closed = false

  constructor(options: cassandra.DseClientOptions) {
    super(options)
    // It has a line for each step of finding nodes: none of its hosts comes and goes unseen.
    this.on('log', (level: string) => {
      if (level !== 'verbose') this.#sweep()
    })
  }

  override async shutdown(): Promise<void> {
    this.#sweep()
    this.#closed = true
    await super.shutdown()
    this.#sweep()
  }

  #sweep(): void {
    const hosts = this.hosts as { values(): readonly unknown[] } | undefined
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its hosts have it
    const current = new Set((hosts?.values() ?? []) as readonly PooledHost[])
    for (const host of this.#hosts) {
      if (current.has(host) && !this.#closed) continue
      this.#hosts.delete(host)
      // What is under way on it is waited for; there is nothing to be done about its errors.
      host.shutdown(!this.#closed).catch(() => undefined)
    }
    for (const host of current) {
      if (this.#closed) host.shutdown(false).catch(() => undefined)
      else this.#hosts.add(host)
    }
  }
}
