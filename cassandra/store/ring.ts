import type cassandra from 'cassandra-driver'
import type { Logger } from '#platform/log.ts'
import type { Metrics } from '#platform/metrics.ts'

/** Between two looks, ms. */
const lookMs = 10_000

/**
 * What nodes say of the ring, for metrics: how many schemas there are, and for which DCs hints wait in this one's nodes.
 * Both must have settled before another node is taken out.
 */
export class Ring {
  readonly #client: cassandra.Client
  readonly #localDc: string
  readonly #log: Logger
  readonly #timer: NodeJS.Timeout
  /** -1: it can't be told. */
  #schemas = -1
  /** Files of hints by the DC that they are for. */
  #hints = new Map<string, number>()
  #looking = false
  #failed = false

  constructor({
    client,
    localDc,
    metrics,
    log,
  }: {
    readonly client: cassandra.Client
    readonly localDc: string
    readonly metrics: Metrics
    readonly log: Logger
  }) {
    this.#client = client
    this.#localDc = localDc
    this.#log = log
    metrics.gauge(
      'cinque_cassandra_schemas',
      'Different schemas that Cassandra nodes have; 1: they agree, -1: not known',
      () => this.#schemas,
    )
    metrics.gauge(
      'cinque_cassandra_hint_files',
      'Files of hints that wait in nodes of this datacenter, by the datacenter that they are for',
      () => Array.from(this.#hints, ([to, files]) => [{ from: this.#localDc, to }, files]),
    )
    this.#timer = setInterval(() => void this.look(), lookMs).unref()
    void this.look()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  async look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    try {
      const [schemas, hints] = await Promise.all([this.#schemaVersions(), this.#waitingHints()])
      this.#schemas = schemas.size
      this.#hints = hints
      this.#failed = false
    } catch (error) {
      this.#schemas = -1
      if (!this.#failed)
        this.#log.warn({ event: 'store.ring_unread', err: error }, 'nodes do not tell of the ring')
      this.#failed = true
    } finally {
      this.#looking = false
    }
  }

  async #schemaVersions(): Promise<Set<string>> {
    // By one node: peers are as that node sees them.
    const host = this.#localHosts()[0]
    const ask = (query: string): Promise<cassandra.types.ResultSet> =>
      this.#client.execute(query, [], { host, prepare: false })
    const [local, peers] = await Promise.all([
      ask('SELECT schema_version FROM system.local'),
      ask('SELECT schema_version FROM system.peers_v2'),
    ])
    return new Set([...local.rows, ...peers.rows].map(({ schema_version: version }) => String(version)))
  }

  async #waitingHints(): Promise<Map<string, number>> {
    const results = await Promise.all(
      this.#localHosts().map((host) =>
        this.#client.execute('SELECT dc, files FROM system_views.pending_hints', [], {
          host,
          prepare: false,
        }),
      ),
    )
    const waiting = new Map<string, number>()
    for (const { dc, files } of results.flatMap(({ rows }) => rows)) {
      // Of a node that is gone for good only its id is known.
      const to = typeof dc === 'string' && dc !== '' ? dc : 'unknown'
      waiting.set(to, (waiting.get(to) ?? 0) + Number(files))
    }
    return waiting
  }

  #localHosts(): cassandra.Host[] {
    return this.#client.hosts.values().filter((host) => host.datacenter === this.#localDc && host.isUp())
  }
}
