/**
 * Memory that encoded rows stay in until their transaction is on disk. lmdb-js takes a buffer with `start`, `end`
 * and `address` as a value in place (the protocol of its msgpack encoder), and a key through `KeyEncoder`, so one
 * object passes any number of rows without a view or a copy of each.
 */
export interface Chunk extends Buffer {
  /** The key to read, set just before the call. */
  keyStart: number
  keyEnd: number
  /** The value to read, set just before the call. */
  start: number
  end: number
  /** Bytes taken so far, and how many batches still need them. */
  used: number
  users: number
}

const chunkBytes = 256 * 1024
/** Chunks kept for reuse; more are left to the garbage collector. */
const sparesKept = 32

/** Hands out room for encoded rows and takes chunks back when no batch uses them any more. */
export class Arena {
  #current: Chunk = newChunk(chunkBytes)
  readonly #spares: Chunk[] = []

  /** A chunk with at least `room` free bytes at `used`. */
  reserve(room: number): Chunk {
    if (this.#current.length - this.#current.used >= room) return this.#current
    if (room > chunkBytes) return newChunk(room)
    const full = this.#current
    this.#current = this.#spares.pop() ?? newChunk(chunkBytes)
    if (full.users === 0) this.#recycle(full)
    return this.#current
  }

  /** Says that a batch does not need the chunk any more. */
  release(chunk: Chunk): void {
    if (--chunk.users > 0) return
    if (chunk === this.#current) chunk.used = 0
    else this.#recycle(chunk)
  }

  #recycle(chunk: Chunk): void {
    chunk.used = 0
    if (chunk.length === chunkBytes && this.#spares.length < sparesKept) this.#spares.push(chunk)
  }
}

/** lmdb-js writes keys through this: the marked part of a chunk, or a whole buffer. */
export const keyEncoder = {
  writeKey(key: Buffer & Partial<Chunk>, target: Uint8Array, at: number): number {
    const end = key.keyEnd ?? key.length
    let position = at
    for (let from = key.keyStart ?? 0; from < end; from++) target[position++] = key[from]
    return position
  },
  readKey(source: Buffer, start: number, end: number): Buffer {
    return Buffer.from(source.subarray(start, end))
  },
}

function newChunk(bytes: number): Chunk {
  // Not from Buffer's pool: lmdb-js needs the address of the buffer's own memory.
  return Object.assign(Buffer.allocUnsafeSlow(bytes), {
    keyStart: 0,
    keyEnd: 0,
    start: 0,
    end: 0,
    used: 0,
    users: 0,
  })
}
