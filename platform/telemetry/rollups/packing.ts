import type { TelemetryValue } from '../point.ts'
import { Bucket, type Edge } from './bucket.ts'
import { ByteReader, ByteWriter } from './bytes.ts'

/**
 * Buckets of one key as bytes: a version, then for each bucket its place in the row (a varint), count, first value and
 * how long after the bucket's beginning that was; with more than one value also the last, and of numbers how many, min,
 * max, sum, and from three on the bins of their sketch. Of fewer, the sketch follows from min and max.
 */
const version = 1

/** Bytes of a text or of JSON that a bucket keeps as first or last. */
const maxEdgeBytes = 256

const tags = { absent: 0, number: 1, yes: 2, no: 3, text: 4, json: 5 } as const

/** `buckets` by their place in the row, with sketches; `start`: time of place 0, `width`: of a bucket, milliseconds. */
export function pack(buckets: ReadonlyMap<number, Bucket>, start: number, width: number): Uint8Array {
  const out = new ByteWriter()
  out.byte(version)
  for (const [place, bucket] of [...buckets].toSorted(([a], [b]) => a - b)) {
    if (bucket.count === 0) continue
    const begin = start + place * width
    out.varint(place)
    out.varint(bucket.count)
    writeEdge(out, bucket.first, begin)
    if (bucket.count > 1) writeRest(out, bucket, begin)
  }
  return out.bytes()
}

function writeRest(out: ByteWriter, bucket: Bucket, begin: number): void {
  const { numbers, min, max, sum, sketch } = bucket
  writeEdge(out, bucket.last, begin)
  out.varint(numbers)
  if (numbers === 0) return
  for (const value of [min, max, sum]) out.double(value)
  if (numbers <= 2) return
  const bins = sketch?.sorted() ?? []
  const inner = new ByteWriter()
  let before = 0
  for (const [bin, count] of bins) {
    inner.signed(bin - before)
    inner.varint(count)
    before = bin
  }
  const bytes = inner.bytes()
  out.varint(bytes.length)
  out.raw(bytes)
}

/** Calls `visit` with each bucket and its place, in order. RangeError: written by a newer version, or broken. */
export function unpack(
  body: Uint8Array,
  start: number,
  width: number,
  sketched: boolean,
  visit: (place: number, bucket: Bucket) => void,
): void {
  const from = new ByteReader(body)
  const found = from.byte()
  if (found !== version) throw new RangeError(`aggregates of version ${found}; this one reads ${version}`)
  while (!from.ended) {
    const place = from.varint()
    visit(place, readBucket(from, start + place * width, sketched))
  }
}

function readBucket(from: ByteReader, begin: number, sketched: boolean): Bucket {
  const bucket = new Bucket(sketched)
  bucket.count = from.varint()
  bucket.first = readEdge(from, begin)
  if (bucket.count === 1) {
    bucket.last = bucket.first
    const { value } = bucket.first
    if (typeof value === 'number') {
      bucket.addNumbers(1, value, value, value)
      bucket.sketch?.add(value)
    }
    return bucket
  }
  bucket.last = readEdge(from, begin)
  const numbers = from.varint()
  if (numbers === 0) return bucket
  bucket.addNumbers(numbers, from.double(), from.double(), from.double())
  if (numbers <= 2) {
    bucket.sketch?.add(bucket.min)
    if (numbers === 2) bucket.sketch?.add(bucket.max)
    return bucket
  }
  const end = from.varint() + from.at
  if (bucket.sketch === null) from.at = end
  else readSketch(from, end, bucket.sketch.bins)
  if (bucket.sketch !== null) bucket.sketch.count = numbers
  return bucket
}

function readSketch(from: ByteReader, end: number, bins: Map<number, number>): void {
  let bin = 0
  while (from.at < end) {
    bin += from.signed()
    bins.set(bin, from.varint())
  }
}

function writeEdge(out: ByteWriter, { ts, value }: Edge, begin: number): void {
  out.varint(ts - begin)
  if (typeof value === 'number') {
    out.byte(tags.number)
    out.double(value)
  } else if (typeof value === 'boolean') out.byte(value ? tags.yes : tags.no)
  else writeText(out, value)
}

function writeText(out: ByteWriter, value: string | object | undefined): void {
  const text = typeof value === 'string' || value === undefined ? (value ?? '') : JSON.stringify(value)
  if (value === undefined || Buffer.byteLength(text) > maxEdgeBytes) return out.byte(tags.absent)
  out.byte(typeof value === 'string' ? tags.text : tags.json)
  const bytes = Buffer.from(text)
  out.varint(bytes.length)
  out.raw(bytes)
}

function readEdge(from: ByteReader, begin: number): Edge {
  const ts = from.varint() + begin
  return { ts, value: readValue(from) }
}

function readValue(from: ByteReader): TelemetryValue | undefined {
  switch (from.byte()) {
    case tags.number:
      return from.double()
    case tags.yes:
      return true
    case tags.no:
      return false
    case tags.text:
      return from.text(from.varint())
    case tags.json: {
      const value: unknown = JSON.parse(from.text(from.varint()))
      return typeof value === 'object' && value !== null ? value : undefined
    }
    default:
      return undefined
  }
}
