import type { Logger } from '#platform/log.ts'

/** Time between looks while the cluster fails. */
const probeMs = 500

/**
 * Whether the store can be written to and read from now, for readiness. A request that failed for want of the cluster
 * makes us look; what the look says counts, so that one unlucky request takes nobody out of service.
 */
export class Health {
  #healthy = true
  #probing = false
  #closed = false
  readonly #listeners: ((healthy: boolean) => void)[] = []
  readonly #probe: () => Promise<void>
  readonly #log: Logger

  /** `probe` rejects when the cluster does not do what writes and reads need. */
  constructor(probe: () => Promise<void>, log: Logger) {
    this.#probe = probe
    this.#log = log
  }

  get healthy(): boolean {
    return this.#healthy
  }

  /** Calls `listener` at each change. */
  onChange(listener: (healthy: boolean) => void): void {
    this.#listeners.push(listener)
  }

  /** Something failed: looks now, and on until it works. */
  suspect(): void {
    if (this.#probing || this.#closed) return
    this.#probing = true
    void this.#look()
  }

  close(): void {
    this.#closed = true
  }

  async #look(): Promise<void> {
    while (!this.#closed) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- one look after the other
        await this.#probe()
        break
      } catch (error) {
        this.#set(false, error)
      }
      // oxlint-disable-next-line no-await-in-loop
      await new Promise<void>((wake) => void setTimeout(wake, probeMs).unref())
    }
    this.#probing = false
    if (!this.#closed) this.#set(true)
  }

  #set(healthy: boolean, error?: unknown): void {
    if (healthy === this.#healthy) return
    this.#healthy = healthy
    if (healthy) this.#log.info({ event: 'store.back' }, 'Cassandra answers again')
    else this.#log.error({ event: 'store.away', err: error }, 'Cassandra of this datacenter does not answer')
    for (const listener of this.#listeners) listener(healthy)
  }
}
