import type { Duplex } from 'node:stream'

/**
 * The bytes on their way to one client. Everything written during one turn of the event loop leaves in one
 * socket write; buffers are lent from a pool for that turn, so that an idle connection holds none.
 */
const SMALL = 4096
const POOLED = 1024
const FLUSH_AT = 65_536
const pool: Buffer[] = []
const dirty: (Output | null)[] = []
let dirtyCount = 0
let scheduled = false

/** Sums over all outputs of this process; read by the metrics. */
export const written = { bytes: 0 }

function flushAll(): void {
  scheduled = false
  // The array keeps its length: to set it costs as much as to fill it.
  for (let i = 0; i < dirtyCount; i++) {
    dirty[i]?.flush()
    dirty[i] = null
  }
  dirtyCount = 0
}

const NOTHING = Buffer.alloc(0)

/**
 * Calls `then` when the stream has passed on all that was written so far. 'drain' alone would not do: it comes only after
 * a stream held more than its own high-water mark, and over TLS any write is held for a moment.
 */
export function whenWritten(stream: Duplex, then: () => void): void {
  if (stream.writableNeedDrain) stream.once('drain', then)
  else if (stream.writableLength > 0 && !stream.writableEnded && !stream.destroyed)
    stream.write(NOTHING, () => then())
  else setImmediate(then)
}

/** Who waits for a receiver that is slow. */
export interface Source {
  /** Stops reading from this source until `releaseSource` was called as often. */
  holdSource(): void
  releaseSource(): void
}

/** Limits shared by all outputs of a broker. */
export interface OutputLimits {
  /** Bytes in the socket at which sources are held. */
  high: number
  /** Bytes in the socket at which QoS 0 messages are dropped. */
  max: number
  /** Outputs that hold sources; the broker looks every tick for those without progress. */
  slow: Set<Output>
}

export class Output {
  readonly stream: Duplex
  readonly limits: OutputLimits
  /** No progress for `stall_timeout`: sources are not held any more, QoS 0 is dropped. */
  stalled = false
  /** What the stall watch saw when it last looked: a count of progress, and for how many looks it has stood still. */
  watched = -1
  still = 0
  #out: Buffer | null = null
  #length = 0
  #chunks: Buffer[] | null = null
  #pending = 0
  #dirty = false
  #draining = false
  #held: Set<Source> | null = null

  constructor(stream: Duplex, limits: OutputLimits) {
    this.stream = stream
    this.limits = limits
  }

  /** Whether QoS 0 messages must be dropped: the client does not read. */
  get choked(): boolean {
    const waiting = this.stream.writableLength
    return waiting > this.limits.max || (this.stalled && waiting > this.limits.high)
  }

  /** Bytes not yet taken by the kernel. */
  get backlog(): number {
    return this.stream.writableLength + this.#pending + this.#length
  }

  /** Appends `n` bytes of room; the caller fills `buffer` from the returned offset on before anything else is written. */
  reserve(n: number): number {
    if (!this.#dirty) this.#flushLater()
    let out = this.#out
    if (out !== null && this.#length > 0 && this.#length + n > FLUSH_AT) {
      this.#write()
      out = this.#out
    }
    if (out === null) {
      this.#out =
        n <= SMALL && pool.length > 0 ? (pool.pop() ?? null) : Buffer.allocUnsafeSlow(n > SMALL ? n : SMALL)
      this.#length = 0
    } else if (this.#length + n > out.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(out.length * 2, this.#length + n))
      out.copy(grown, 0, 0, this.#length)
      if (out.length === SMALL && pool.length < POOLED) pool.push(out)
      this.#out = grown
    }
    const at = this.#length
    this.#length = at + n
    return at
  }

  /** Where `reserve` put its room. */
  get buffer(): Buffer {
    return this.#out as Buffer
  }

  /** Copies bytes. */
  push(from: Buffer, start: number, end: number): void {
    const n = end - start
    let at = this.reserve(n)
    const out = this.#out as Buffer
    if (n < 24) for (let i = start; i < end; i++) out[at++] = from[i]
    else from.copy(out, at, start, end)
  }

  /** Four bytes: PUBACK, PUBREC, PUBREL, PUBCOMP with success. */
  ack(first: number, packetId: number): void {
    const at = this.reserve(4)
    const out = this.#out as Buffer
    out[at] = first
    out[at + 1] = 2
    out[at + 2] = packetId >> 8
    out[at + 3] = packetId & 255
  }

  /** Sends bytes that nobody will change, without copying them. */
  view(bytes: Buffer): void {
    if (!this.#dirty) this.#flushLater()
    this.#seal()
    ;(this.#chunks ??= []).push(bytes)
    this.#pending += bytes.length
    if (this.#pending > FLUSH_AT) this.#write()
  }

  /** Hands everything to the socket. */
  flush(): void {
    this.#dirty = false
    this.#write()
  }

  /** Makes `source` wait while this client's socket is full, unless the client has stalled. */
  holdFor(source: Source): void {
    if (!this.stalled && this.stream.writableLength > this.limits.high) this.#hold(source)
  }

  /** Makes `source` wait while this client's queue is long, unless the client has stalled. */
  holdWhilePressing(source: Source): void {
    if (!this.stalled) this.#hold(source)
  }

  #hold(source: Source): void {
    const held = (this.#held ??= new Set())
    if (held.has(source)) return
    held.add(source)
    if (held.size === 1) {
      this.watched = -1
      this.still = 0
      this.limits.slow.add(this)
    }
    source.holdSource()
    this.#watchDrain()
  }

  /** Lets all sources go on. */
  releaseAll(): void {
    const held = this.#held
    if (held === null) return
    this.#held = null
    this.limits.slow.delete(this)
    for (const source of held) source.releaseSource()
  }

  /** The client has read or acknowledged: sources go on unless its socket is full. */
  progressed(): void {
    if (this.stream.writableLength > this.limits.high) return
    this.stalled = false
    this.releaseAll()
  }

  #flushLater(): void {
    this.#dirty = true
    dirty[dirtyCount++] = this
    if (scheduled) return
    scheduled = true
    setImmediate(flushAll)
  }

  #seal(): void {
    if (this.#length === 0) return
    ;(this.#chunks ??= []).push((this.#out as Buffer).subarray(0, this.#length))
    this.#pending += this.#length
    this.#out = null
    this.#length = 0
  }

  #write(): void {
    const stream = this.stream
    if (stream.destroyed || stream.writableEnded) {
      this.#out = this.#chunks = null
      this.#length = this.#pending = 0
      return
    }
    if (this.#chunks !== null) {
      this.#seal()
      const chunks = this.#chunks
      this.#chunks = null
      written.bytes += this.#pending
      this.#pending = 0
      if (chunks.length === 1) stream.write(chunks[0])
      else {
        stream.cork()
        for (let i = 0; i < chunks.length; i++) stream.write(chunks[i])
        stream.uncork()
      }
    } else if (this.#length > 0) {
      const out = this.#out as Buffer
      const n = this.#length
      written.bytes += n
      this.#out = null
      this.#length = 0
      stream.write(n === out.length ? out : out.subarray(0, n))
      // The kernel took it at once: nobody refers to the buffer any more.
      if (stream.writableLength === 0 && out.length === SMALL && pool.length < POOLED) pool.push(out)
    }
    if (this.#held !== null || this.stalled) this.#watchDrain()
  }

  /** Somebody waits for the socket to take what it was given. */
  #watchDrain(): void {
    if (this.#draining || this.stream.writableLength === 0) return
    this.#draining = true
    whenWritten(this.stream, () => {
      this.#draining = false
      this.progressed()
    })
  }
}
