import { hash } from 'node:crypto'
import { type Fields, keyRoom } from '../store/key-codec.ts'
import { codecOf, type RowCodec } from '../store/row-codec.ts'
import type { Store } from '../store/store.ts'
import type { AnyTable } from '../store/table.ts'

/** Rows of a table: how many, and the sum of their hashes. The same for every engine and order. */
export interface TableFingerprint {
  readonly rows: number
  readonly hash: string
}

const pageRows = 2_000
const mask = (1n << 128n) - 1n

export class FingerprintSum {
  rows = 0
  #sum = 0n
  #scratch = Buffer.allocUnsafe(0)
  readonly #codec: RowCodec

  constructor(table: AnyTable) {
    this.#codec = codecOf(table)
  }

  add(row: Fields): void {
    const codec = this.#codec
    const room = 2 * keyRoom + codec.room(row)
    if (this.#scratch.length < room) this.#scratch = Buffer.allocUnsafe(room * 2)
    let end = codec.writePartition(this.#scratch, 0, row, 0)
    end = codec.writeClustering(this.#scratch, end, row, 0)
    end = codec.writeRow(this.#scratch, end, row, 0)
    const digest = hash('sha256', this.#scratch.subarray(0, end), 'buffer')
    this.#sum += (digest.readBigUInt64BE(0) << 64n) | digest.readBigUInt64BE(8)
    this.rows++
    if ((this.rows & 1023) === 0) this.#sum &= mask
  }

  get value(): TableFingerprint {
    return { rows: this.rows, hash: (this.#sum & mask).toString(16).padStart(32, '0') }
  }
}

/** Reads a whole table. */
export async function fingerprintOf(store: Store, table: AnyTable): Promise<TableFingerprint> {
  const sum = new FingerprintSum(table)
  let cursor: string | null = null
  do {
    // oxlint-disable-next-line no-await-in-loop -- page after page
    const page: { rows: Fields[]; cursor: string | null } = await store.scan(table, cursor, pageRows)
    for (const row of page.rows) sum.add(row)
    cursor = page.cursor
  } while (cursor !== null)
  return sum.value
}
