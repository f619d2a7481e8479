import { type Fields, keyRoom } from './key-codec.ts'
import type { RowCodec } from './row-codec.ts'

/** Keys from `start` (included) to `end` (excluded). */
export interface KeyRange {
  start: Buffer
  end: Buffer
}

/** The bounds of a `Range`. */
interface Bounds {
  from?: Fields | undefined
  after?: Fields | undefined
  to?: Fields | undefined
  before?: Fields | undefined
}

const scratch = Buffer.allocUnsafe(keyRoom * 2)

/** Key of one row behind its table's byte. */
export function rowKey(codec: RowCodec, tableByte: number, key: Fields): Buffer {
  const at = partitionInto(codec, tableByte, key)
  return Buffer.from(scratch.subarray(0, codec.writeClustering(scratch, at, key, 0)))
}

/** All rows of a table. */
export function tableRange(tableByte: number): KeyRange {
  return { start: Buffer.from([tableByte]), end: Buffer.from([tableByte + 1]) }
}

/** All rows of a partition. */
export function partitionRange(codec: RowCodec, tableByte: number, partition: Fields): KeyRange {
  const start = Buffer.from(scratch.subarray(0, partitionInto(codec, tableByte, partition)))
  return { start, end: afterPrefix(start) }
}

/** The rows of a partition that a `Range` asks for. */
export function boundedRange(codec: RowCodec, tableByte: number, partition: Fields, range: Bounds): KeyRange {
  const at = partitionInto(codec, tableByte, partition)
  const all = Buffer.from(scratch.subarray(0, at))
  const bound = (key: Fields): Buffer =>
    Buffer.from(scratch.subarray(0, codec.writeClustering(scratch, at, key, 0, true)))
  let start: Buffer = all
  let end: Buffer = afterPrefix(all)
  if (range.from !== undefined) start = bound(range.from)
  if (range.after !== undefined) start = later(start, afterPrefix(bound(range.after)))
  if (range.to !== undefined) end = afterPrefix(bound(range.to))
  if (range.before !== undefined) end = earlier(end, bound(range.before))
  return { start, end }
}

/** The rows that `Batch.discard` names: the leading clustering columns of `through` equal, the last at most its own. */
export function discardRange(
  codec: RowCodec,
  tableByte: number,
  partition: Fields,
  through: Fields,
): KeyRange {
  const at = partitionInto(codec, tableByte, partition)
  const end = afterPrefix(Buffer.from(scratch.subarray(0, codec.writeClustering(scratch, at, through, 0))))
  const leading = codec.clustering.slice(0, -1).map(({ name }) => [name, through[name]])
  const length = codec.writeClustering(scratch, at, Object.fromEntries(leading), 0, true)
  return { start: Buffer.from(scratch.subarray(0, length)), end }
}

/** The least key that is greater than every key which starts with `prefix`. */
export function afterPrefix(prefix: Buffer): Buffer {
  let length = prefix.length
  // The table's byte is never FF, so this ends.
  while (prefix[length - 1] === 0xff) length--
  const next = Buffer.from(prefix.subarray(0, length))
  next[length - 1]++
  return next
}

function partitionInto(codec: RowCodec, tableByte: number, key: Fields): number {
  scratch[0] = tableByte
  return codec.writePartition(scratch, 1, key, 0)
}

function later(one: Buffer, other: Buffer): Buffer {
  return one.compare(other) >= 0 ? one : other
}

function earlier(one: Buffer, other: Buffer): Buffer {
  return one.compare(other) <= 0 ? one : other
}
