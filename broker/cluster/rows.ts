import { keyRoom } from '#platform/store/key-codec.ts'
import { codecOf } from '#platform/store/row-codec.ts'
import type { AnyTable, RowOf } from '#platform/store/table.ts'

const scratch = Buffer.allocUnsafe(2 * keyRoom)

/** A row as an entry between processes: 2 bytes length of the key, key, value, as the embedded store packs them. */
export function encodeRow<T extends AnyTable>(table: T, row: RowOf<T>, before = 0): Buffer {
  const codec = codecOf(table)
  const key = codec.writeClustering(scratch, codec.writePartition(scratch, 0, row, 0), row, 0)
  const bytes = Buffer.allocUnsafe(before + 2 + key + codec.room(row))
  bytes.writeUInt16BE(key, before)
  scratch.copy(bytes, before + 2, 0, key)
  return bytes.subarray(0, codec.writeRow(bytes, before + 2 + key, row, 0))
}

/** The row of an entry; blobs are copies. Throws RangeError if it was cut off. */
export function decodeRow<T extends AnyTable>(table: T, bytes: Buffer): RowOf<T> {
  const key = 2 + bytes.readUInt16BE(0)
  return codecOf(table).read(bytes.subarray(2, key), 0, bytes.subarray(key))
}
