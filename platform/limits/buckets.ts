/** Requests a second, and how many may come at once. Rate 0: no limit. */
export interface Rate {
  readonly rate: number
  readonly burst: number
}

/** What is left in a bucket. */
export interface Level {
  readonly allowed: boolean
  /** Whole tokens. */
  readonly remaining: number
  /** Seconds until the bucket is full; refused: until there is a token. */
  readonly seconds: number
}

interface Bucket {
  tokens: number
  at: number
}

const unlimited: Level = { allowed: true, remaining: Number.MAX_SAFE_INTEGER, seconds: 0 }

/**
 * Token buckets by name. Bounded: the bucket that was used longest ago is forgotten first, which can only give
 * somebody a full one; buckets that are full again are the same as none.
 */
export class Buckets {
  readonly rate: Rate
  readonly #max: number
  readonly #buckets = new Map<string, Bucket>()

  constructor(rate: Rate, max: number) {
    this.rate = rate
    this.#max = max
  }

  get size(): number {
    return this.#buckets.size
  }

  /** Takes a token at a time in milliseconds (monotonic). */
  take(name: string, now: number): Level {
    return this.#look(name, now, 1)
  }

  /** What `take` would find. */
  peek(name: string, now: number): Level {
    return this.#look(name, now, 0)
  }

  #look(name: string, now: number, cost: 0 | 1): Level {
    const { rate, burst } = this.rate
    if (rate === 0) return unlimited
    let bucket = this.#buckets.get(name)
    if (bucket === undefined) {
      if (cost === 0) return { allowed: true, remaining: burst, seconds: 0 }
      bucket = { tokens: burst, at: now }
      this.#makeRoom()
    } else if (cost === 1) this.#buckets.delete(name)
    bucket.tokens = Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) * rate) / 1000)
    bucket.at = now
    const allowed = bucket.tokens >= 1
    if (allowed) bucket.tokens -= cost
    if (cost === 1) this.#buckets.set(name, bucket)
    const missing = allowed ? burst - bucket.tokens : 1 - bucket.tokens
    return { allowed, remaining: Math.floor(bucket.tokens), seconds: Math.ceil(missing / rate) }
  }

  #makeRoom(): void {
    if (this.#buckets.size < this.#max) return
    for (const oldest of this.#buckets.keys()) {
      this.#buckets.delete(oldest)
      return
    }
  }
}
