import { crc32 } from 'node:zlib'

/** Parts of a table that are compared and sent by themselves. */
const BUCKETS = 256

/** The bucket of a row. */
export function bucketOf(key: string): number {
  return crc32(key) & (BUCKETS - 1)
}

/** Checksums of a table's rows, bucket by bucket: equal rows in whatever order give equal sums. */
export class Sums {
  readonly #low = new Uint32Array(BUCKETS)
  readonly #high = new Uint32Array(BUCKETS)

  /** A row with this key and stamp has come, or gone: the same call does both. */
  toggle(key: string, stamp: number): void {
    const hash = crc32(key)
    const bucket = hash & (BUCKETS - 1)
    const low = (stamp % 4_294_967_296) | 0
    const high = Math.floor(stamp / 4_294_967_296) | 0
    this.#low[bucket] ^= mix(hash ^ mix(low ^ mix(high)))
    this.#high[bucket] ^= mix(mix(hash + 0x9e37_79b9) ^ mix(low + mix(high ^ 0x85eb_ca6b)))
  }

  encode(): string {
    return Buffer.concat([bytesOf(this.#low), bytesOf(this.#high)]).toString('base64')
  }

  /** Buckets whose sums differ from these. Throws RangeError if they are not sums. */
  differing(encoded: string): Set<number> {
    const other = Buffer.from(encoded, 'base64')
    const found = new Set<number>()
    for (let b = 0; b < BUCKETS; b++) {
      if (
        other.readUInt32LE(4 * b) !== this.#low[b] ||
        other.readUInt32LE(4 * (BUCKETS + b)) !== this.#high[b]
      )
        found.add(b)
    }
    return found
  }
}

function bytesOf(sums: Uint32Array): Buffer {
  return Buffer.from(sums.buffer, sums.byteOffset, sums.byteLength)
}

/** Murmur3's finalizer: each bit of the result depends on each of `h`. */
function mix(h: number): number {
  let x = h
  x ^= x >>> 16
  x = Math.imul(x, 0x85eb_ca6b)
  x ^= x >>> 13
  x = Math.imul(x, 0xc2b2_ae35)
  return (x ^ (x >>> 16)) >>> 0
}
