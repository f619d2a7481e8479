import { randomUUID } from 'node:crypto'
import { codecOf, type RowCodec } from '../row-codec.ts'
import { StoreError } from '../store.ts'
import type { AnyTable, Columns } from '../table.ts'
import type { Environment } from './environment.ts'

/** First byte of a key: 0 for meta rows, a table's number, or this for the index of what expires. */
export const expiryByte = 0xfe
const firstTable = 1
const lastTable = 0xfd

/** Version of everything below LMDB's own format: keys, values, meta rows, expiry index. */
const formatVersion = 1

const formatKey = Buffer.from('\0format')

/** What the data say of a table: its number, and the declaration its rows were written by. */
interface StoredTable {
  id: number
  partition: Columns
  clustering: Columns
  columns: Columns
  /** Seconds that a row lives; 0: for ever. Rows of such a table start with their time. */
  ttl: number
}

/** A table in use. */
export interface TableEntry {
  readonly id: number
  readonly codec: RowCodec
}

interface MetaRow {
  key: Buffer
  value: Buffer
}

interface Format {
  format: number
  identity: string
  created: string
}

/** The tables of the data and their numbers, and the identity of the data: the meta rows. */
export class Catalogue {
  /** Random, made with the data; a restored copy has the same. */
  readonly identity: string
  readonly #stored = new Map<string, StoredTable>()
  readonly #entries = new Map<AnyTable, TableEntry>()
  /** Meta rows that the data do not have yet, by table name. */
  readonly #unsaved = new Map<string, MetaRow>()

  private constructor(identity: string) {
    this.identity = identity
  }

  /**
   * Reads the meta rows; data without any are new and get theirs, durable when this resolves.
   *
   * @throws StoreError `version` for data of a newer version, `corrupt` for data of something else
   */
  static async open(environment: Environment): Promise<Catalogue> {
    const bytes = environment.get(formatKey)
    const format = bytes === undefined ? await create(environment) : readFormat(bytes, environment.directory)
    const catalogue = new Catalogue(format.identity)
    environment.visit(
      { start: Buffer.from('\0table\0'), end: Buffer.from('\0table\x01') },
      false,
      (key, value) => {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by `metaRow`
        catalogue.#stored.set(key.toString('utf8', 7), JSON.parse(value.toString()) as StoredTable)
        return true
      },
    )
    return catalogue
  }

  /**
   * The table's number and codec.
   *
   * @throws StoreError `version` if the stored rows were written by a declaration that cannot be read by this one
   */
  entry(table: AnyTable): TableEntry {
    let entry = this.#entries.get(table)
    if (entry === undefined) {
      entry = this.#enter(table)
      this.#entries.set(table, entry)
    }
    return entry
  }

  /** Milliseconds that a row of table number `id` lives; 0: for ever, or no such table. */
  ttlOf(id: number): number {
    for (const stored of this.#stored.values()) if (stored.id === id) return stored.ttl * 1000
    return 0
  }

  /** Meta rows to be written with the next rows. */
  get unsaved(): MetaRow[] {
    return [...this.#unsaved.values()]
  }

  /** Says that these meta rows are on disk. */
  saved(rows: readonly MetaRow[]): void {
    for (const [name, row] of this.#unsaved) if (rows.includes(row)) this.#unsaved.delete(name)
  }

  #enter(table: AnyTable): TableEntry {
    const codec = codecOf(table)
    const stored = this.#stored.get(table.name)
    const id = stored?.id ?? this.#freeId()
    const { partition, clustering } = table
    const declared: StoredTable = {
      id,
      partition,
      clustering,
      columns: table.columns,
      ttl: codec.ttlMs / 1000,
    }
    if (stored !== undefined) checkCompatible(table.name, stored, declared)
    // An older program with fewer columns leaves the newer declaration.
    if (stored !== undefined && Object.keys(stored.columns).length > Object.keys(declared.columns).length) {
      declared.columns = stored.columns
    }
    this.#stored.set(table.name, declared)
    if (stored === undefined || JSON.stringify(stored) !== JSON.stringify(declared)) {
      this.#unsaved.set(table.name, metaRow(table.name, declared))
    }
    return { id, codec }
  }

  #freeId(): number {
    const used = new Set([...this.#stored.values()].map(({ id }) => id))
    for (let id = firstTable; id <= lastTable; id++) if (!used.has(id)) return id
    throw new RangeError(`more than ${lastTable} tables in one store`)
  }
}

function metaRow(name: string, declared: StoredTable): MetaRow {
  return { key: Buffer.from(`\0table\0${name}`), value: Buffer.from(JSON.stringify(declared)) }
}

function checkCompatible(name: string, stored: StoredTable, declared: StoredTable): void {
  const columns = (spec: Columns): string[] =>
    Object.entries(spec).map(([column, type]) => `${column} ${type}`)
  const same = (one: Columns, other: Columns): boolean => columns(one).join() === columns(other).join()
  const common = columns(declared.columns).slice(0, Object.keys(stored.columns).length)
  const prefix = columns(stored.columns).slice(0, common.length)
  if (
    !same(stored.partition, declared.partition) ||
    !same(stored.clustering, declared.clustering) ||
    common.join() !== prefix.join() ||
    stored.ttl > 0 !== declared.ttl > 0
  ) {
    throw new StoreError(
      'version',
      `table ${name} was written with other columns than this version reads; only columns at its end may differ`,
    )
  }
}

async function create(environment: Environment): Promise<Format> {
  const first = environment.keys({ start: Buffer.from([0]), end: Buffer.from([0xff]) })
  for (const _ of first) throw notOurs(environment.directory)
  const format: Format = { format: formatVersion, identity: randomUUID(), created: new Date().toISOString() }
  await environment.transact([{ key: formatKey, value: Buffer.from(JSON.stringify(format)) }], 0)
  return format
}

function readFormat(bytes: Buffer, directory: string): Format {
  let format: Partial<Format>
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked below
    format = JSON.parse(bytes.toString()) as Partial<Format>
  } catch {
    throw notOurs(directory)
  }
  if (typeof format.format !== 'number' || typeof format.identity !== 'string') throw notOurs(directory)
  if (format.format > formatVersion) {
    throw new StoreError(
      'version',
      `the data in ${directory} have format ${format.format}, this version reads up to ${formatVersion}: ` +
        'start the newer version, or another data directory',
    )
  }
  return { format: format.format, identity: format.identity, created: format.created ?? '' }
}

function notOurs(directory: string): StoreError {
  return new StoreError('corrupt', `the LMDB data in ${directory} were not written by cinque`)
}
