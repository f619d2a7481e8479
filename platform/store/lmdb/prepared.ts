import { type Fields, keyRoom } from '../key-codec.ts'
import { discardRange, type KeyRange, partitionRange } from '../key-range.ts'
import type { Mutation } from '../store.ts'
import type { AnyTable } from '../table.ts'
import type { Arena, Chunk } from './arena.ts'
import type { Catalogue, TableEntry } from './catalogue.ts'
import { expiryOf, type KnownExpiries, writeExpiryKey } from './expiry.ts'

/** An encoded row in a chunk: key from `at`, value from `keyEnd`. A removal ends at `keyEnd`. */
export interface EncodedRow {
  readonly kind: 'put' | 'putIfNewer' | 'delete'
  readonly entry: TableEntry
  readonly chunk: Chunk
  readonly at: number
  /** Where the partition key ends. */
  readonly partitionEnd: number
  readonly keyEnd: number
  readonly valueEnd: number
  /** Stamp of a `putIfNewer`. */
  readonly stamp: number
}

/** The removal of a range of rows. */
export interface EncodedRange {
  readonly kind: 'deletePartition' | 'discard'
  readonly entry: TableEntry
  readonly range: KeyRange
}

export type Operation = EncodedRow | EncodedRange

/** What encoding needs from the store. */
export interface Encoding {
  readonly arena: Arena
  readonly catalogue: Catalogue
  readonly known: KnownExpiries
}

/**
 * Changes encoded for LMDB, ahead of their transaction: so that bad input is refused before anything is written, and
 * so that encoding goes on while another transaction is on its way to the disk.
 */
export class Prepared {
  readonly operations: Operation[] = []
  /** Bytes of the keys and values to be put. */
  bytes = 0
  /** Rows of the expiry index among the operations. */
  readonly expiries = new Set<string>()
  readonly #chunks = new Set<Chunk>()
  readonly #encoding: Encoding
  readonly #now: number
  /** The row before, whose partition's index row need not be looked up again. */
  #lastTimed: EncodedRow | null = null

  constructor(encoding: Encoding, now: number) {
    this.#encoding = encoding
    this.#now = now
  }

  /** @throws TypeError or RangeError that names the column; then `release` must be called all the same */
  add(mutation: Mutation): void {
    const entry = this.#encoding.catalogue.entry(mutation.table)
    switch (mutation.kind) {
      case 'put':
        this.put(mutation.table, mutation.row, mutation.table.stamp !== undefined)
        break
      case 'delete':
        this.operations.push(this.#encode('delete', entry, mutation.key))
        break
      case 'deletePartition': {
        const range = partitionRange(entry.codec, entry.id, mutation.partition)
        this.operations.push({ kind: 'deletePartition', entry, range })
        break
      }
      default: {
        const range = discardRange(entry.codec, entry.id, mutation.partition, mutation.through)
        this.operations.push({ kind: 'discard', entry, range })
      }
    }
  }

  put(table: AnyTable, row: Fields, ifNewer: boolean): EncodedRow {
    const entry = this.#encoding.catalogue.entry(table)
    const encoded = this.#encode(ifNewer ? 'putIfNewer' : 'put', entry, row)
    this.operations.push(encoded)
    this.bytes += encoded.valueEnd - encoded.at
    if (entry.codec.ttlMs !== 0) this.#indexExpiry(encoded)
    return encoded
  }

  /** Gives the memory back; the operations must not be used any more. */
  release(): void {
    for (const chunk of this.#chunks) this.#encoding.arena.release(chunk)
  }

  #encode(kind: EncodedRow['kind'], entry: TableEntry, row: Fields): EncodedRow {
    const { codec } = entry
    const chunk = this.#reserve(kind === 'delete' ? keyRoom : keyRoom + codec.room(row))
    const at = chunk.used
    chunk[at] = entry.id
    const partitionEnd = codec.writePartition(chunk, at + 1, row, at)
    const keyEnd = codec.writeClustering(chunk, partitionEnd, row, at)
    const valueEnd = kind === 'delete' ? keyEnd : codec.writeRow(chunk, keyEnd, row, this.#now)
    chunk.used = valueEnd
    const stamp = kind === 'putIfNewer' ? codec.stampOf(row) : 0
    return { kind, entry, chunk, at, partitionEnd, keyEnd, valueEnd, stamp }
  }

  #indexExpiry(row: EncodedRow): void {
    const last = this.#lastTimed
    this.#lastTimed = row
    if (last !== null && samePartition(last, row)) return
    const chunk = this.#reserve(keyRoom)
    const at = chunk.used
    const expiry = expiryOf(row.entry.codec.ttlMs, this.#now)
    const end = writeExpiryKey(chunk, at, expiry, row.chunk, row.at, row.partitionEnd)
    const key = chunk.toString('latin1', at, end)
    if (this.#encoding.known.has(key) || this.expiries.has(key)) return
    chunk.used = end
    this.expiries.add(key)
    const { entry } = row
    this.operations.push({
      kind: 'put',
      entry,
      chunk,
      at,
      partitionEnd: end,
      keyEnd: end,
      valueEnd: end,
      stamp: 0,
    })
  }

  #reserve(room: number): Chunk {
    const chunk = this.#encoding.arena.reserve(room)
    if (!this.#chunks.has(chunk)) {
      this.#chunks.add(chunk)
      chunk.users++
    }
    return chunk
  }
}

function samePartition(one: EncodedRow, other: EncodedRow): boolean {
  return one.chunk.compare(other.chunk, other.at, other.partitionEnd, one.at, one.partitionEnd) === 0
}
