import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import cassandra from 'cassandra-driver'
import { StoreError } from '#platform/store/store.ts'
import { type Migration, readMigrations } from './schema/migrations.ts'
import { checkHistory, createVersionTable, readVersions, versionPart } from './schema/version.ts'
import { connect, type ConnectionOptions } from './store/connection.ts'
import { storeError } from './store/failures.ts'

export interface MigrateOptions extends Omit<ConnectionOptions, 'keyspace' | 'only'> {
  readonly keyspace: string
  /** Replicas by DC, from the inventory: `{dc01: 3, ...}`. */
  readonly replication: Readonly<Record<string, number>>
  /** Directory of numbered CQL files; default: ours. */
  readonly directory?: string
}

export interface Migrated {
  /** Names of the migrations that were applied now. */
  readonly applied: string[]
  readonly version: number
}

const { consistencies } = cassandra.types
/** Changes of the schema on a small loaded machine take seconds each. */
const ddlTimeoutMs = 60_000
const agreementTimeoutMs = 90_000
/** A migration that was killed keeps others waiting so long. */
const lockSeconds = 180

/**
 * Brings a keyspace to the newest schema: makes it where it is missing, applies what is missing, finishes what was cut
 * off. All by one node, with one wait at the end until all nodes agree, because each wait takes seconds. Two at a time
 * wait for each other, but the very first (which makes the keyspace) has to be alone. Every DC must be up.
 *
 * @throws StoreError `version` when keyspace and program do not fit, with the remedy; `unavailable`
 */
export async function migrate(options: MigrateOptions): Promise<Migrated> {
  const known = readMigrations(options.directory)
  const coordinator = await oneNode(options)
  try {
    return await new Migrator(coordinator, options, known).run()
  } catch (error) {
    throw storeError(error, 'change the schema')
  } finally {
    await coordinator.shutdown()
  }
}

/** The first contact point that answers does it all. */
async function oneNode(options: MigrateOptions): Promise<cassandra.Client> {
  let failure: unknown
  for (const contactPoint of options.contactPoints) {
    try {
      const { keyspace: _, ...connection } = options
      // oxlint-disable-next-line no-await-in-loop -- the first that answers
      return await connect({
        ...connection,
        contactPoints: [contactPoint],
        only: true,
        readTimeoutMs: ddlTimeoutMs,
      })
    } catch (error) {
      failure = error
    }
  }
  throw failure
}

class Migrator {
  readonly #client: cassandra.Client
  readonly #options: MigrateOptions
  readonly #known: readonly Migration[]

  constructor(client: cassandra.Client, options: MigrateOptions, known: readonly Migration[]) {
    this.#client = client
    this.#options = options
    this.#known = known
  }

  async run(): Promise<Migrated> {
    const { keyspace } = this.#options
    const created = await this.#keyspace()
    await this.#ddl(`USE ${keyspace}`)
    const fresh = created || !(await this.#hasVersions())
    if (fresh) {
      // Nothing of ours is there: without a table to note it in, being cut off here means to begin again.
      await this.#ddl(createVersionTable)
      for (const migration of this.#known) await this.#apply(migration)
      await this.#agreement()
      for (const migration of this.#known) await this.#note(migration, true)
      return { applied: this.#known.map(({ name }) => name), version: this.#known.length }
    }
    checkHistory(
      keyspace,
      await readVersions(this.#client, this.#options.keyspace, consistencies.quorum),
      this.#known,
    )
    return this.#locked(async () => {
      const applied = await readVersions(this.#client, this.#options.keyspace, consistencies.quorum)
      checkHistory(keyspace, applied, this.#known)
      const done = new Set(applied.filter(({ ended }) => ended).map(({ version }) => version))
      const missing = this.#known.filter(({ number }) => !done.has(number))
      for (const migration of missing) {
        await this.#note(migration, false)
        await this.#apply(migration)
      }
      if (missing.length > 0) await this.#agreement()
      for (const migration of missing) await this.#note(migration, true)
      return { applied: missing.map(({ name }) => name), version: this.#known.length }
    })
  }

  /** Makes the keyspace, or compares it with what is wanted. True: it was made. */
  async #keyspace(): Promise<boolean> {
    const { keyspace, replication } = this.#options
    if (!/^[a-z]\w{0,47}$/.test(keyspace)) {
      throw new StoreError(
        'version',
        `keyspace "${keyspace}": must be 1 to 48 of a-z, 0-9 and _, a letter first`,
      )
    }
    await this.#knowsDcs(Object.keys(replication))
    const { rows } = await this.#client.execute(
      'SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?',
      [keyspace],
    )
    if (rows.length > 0) {
      const stored = Object.entries(rows[0].replication as Record<string, string>).filter(
        ([name]) => name !== 'class',
      )
      const has = shown(Object.fromEntries(stored))
      const wanted = shown(replication)
      if (has === wanted) return false
      throw new StoreError(
        'version',
        `keyspace ${keyspace} has replicas ${has}, the inventory says ${wanted}: correct the inventory, or change the keyspace ` +
          `(ALTER KEYSPACE ${keyspace} WITH replication = ${replicationCql(replication)}) and then run nodetool rebuild or repair on its nodes`,
      )
    }
    await this.#ddl(
      `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = ${replicationCql(replication)}`,
    )
    this.#options.log.info({ event: 'schema.keyspace', keyspace, replication }, `keyspace ${keyspace} made`)
    return true
  }

  async #knowsDcs(wanted: readonly string[]): Promise<void> {
    const local = await this.#client.execute('SELECT data_center FROM system.local')
    const peers = await this.#client.execute('SELECT data_center FROM system.peers_v2')
    const there = new Set([...local.rows, ...peers.rows].map((row) => String(row.data_center)))
    const unknown = wanted.filter((dc) => !there.has(dc))
    if (unknown.length === 0) return
    throw new StoreError(
      'version',
      `the inventory has replicas in ${unknown.join(', ')}, Cassandra knows only ${[...there].toSorted().join(', ')}: ` +
        'start a node there first, or correct the name',
    )
  }

  async #hasVersions(): Promise<boolean> {
    const { rows } = await this.#client.execute(
      "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = 'schema_version'",
      [this.#options.keyspace],
    )
    if (rows.length === 0) return false
    return (await readVersions(this.#client, this.#options.keyspace, consistencies.quorum)).length > 0
  }

  async #apply({ name, statements }: Migration): Promise<void> {
    this.#options.log.info({ event: 'schema.apply', migration: name }, `applying ${name}`)
    for (const statement of statements) await this.#ddl(statement)
  }

  async #note({ number, name, checksum }: Migration, ended: boolean): Promise<void> {
    const now = Date.now()
    const columns = ended ? 'ended' : 'began'
    await this.#client.execute(
      `UPDATE schema_version SET name = ?, checksum = ?, ${columns} = ? WHERE part = ? AND version = ?`,
      [name, checksum, now, versionPart, number],
      { prepare: true, consistency: consistencies.quorum },
    )
  }

  /** One at a time: two nodes that make a table at once make two tables of one name. */
  async #locked<T>(work: () => Promise<T>): Promise<T> {
    const owner = `${hostname()} ${process.pid} ${randomUUID()}`
    const options = { prepare: true, isIdempotent: false, consistency: consistencies.quorum }
    const take = `INSERT INTO schema_version (part, version, name) VALUES ('lock', 0, ?) IF NOT EXISTS USING TTL ${lockSeconds}`
    const deadline = Date.now() + (lockSeconds + 10) * 1000
    for (;;) {
      const result = await this.#client.execute(take, [owner], options)
      if (result.wasApplied()) break
      const holder = String(result.first()?.name ?? 'another process')
      if (Date.now() > deadline)
        throw new StoreError('unavailable', `the schema is being changed by ${holder}: try again later`)
      this.#options.log.info(
        { event: 'schema.wait', holder },
        `the schema is being changed by ${holder}: waiting`,
      )
      await new Promise((wake) => setTimeout(wake, 1_000))
    }
    try {
      return await work()
    } finally {
      await this.#client
        .execute(
          "DELETE FROM schema_version WHERE part = 'lock' AND version = 0 IF name = ?",
          [owner],
          options,
        )
        .catch(() => undefined)
    }
  }

  async #ddl(statement: string): Promise<void> {
    await this.#client.execute(statement, [], { prepare: false, isIdempotent: true })
  }

  async #agreement(): Promise<void> {
    const deadline = Date.now() + agreementTimeoutMs
    for (;;) {
      const local = await this.#client.execute('SELECT schema_version FROM system.local')
      const peers = await this.#client.execute('SELECT peer, schema_version FROM system.peers_v2')
      const versions = [...local.rows, ...peers.rows].map((row) => String(row.schema_version))
      if (new Set(versions).size === 1) return
      if (Date.now() > deadline) {
        throw new StoreError(
          'unavailable',
          `the nodes do not agree on the schema after ${agreementTimeoutMs / 1000} s: is one of them down? Run it again when all are up`,
        )
      }
      await new Promise((wake) => setTimeout(wake, 200))
    }
  }
}

export function replicationCql(replication: Readonly<Record<string, number>>): string {
  const entries = Object.entries(replication).map(([dc, count]) => `'${dc}': ${count}`)
  return `{'class': 'NetworkTopologyStrategy', ${entries.join(', ')}}`
}

function shown(replication: Readonly<Record<string, number | string>>): string {
  return Object.entries(replication)
    .map(([dc, count]) => `${dc}: ${count}`)
    .toSorted()
    .join(', ')
}
