import type { Clock } from '../clock.ts'

/** What was heard or read lately: the newest `size`, for `ageMs`. */
export class Recent<T> {
  readonly #entries = new Map<string, { value: T; at: number }>()
  readonly #clock: Clock
  readonly #limits: { readonly size: number; readonly ageMs: number }

  constructor(clock: Clock, limits: { size: number; ageMs: number }) {
    this.#clock = clock
    this.#limits = limits
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (this.#clock.now() - entry.at < this.#limits.ageMs) return entry.value
    this.#entries.delete(key)
    return undefined
  }

  set(key: string, value: T): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, at: this.#clock.now() })
    if (this.#entries.size <= this.#limits.size) return
    for (const oldest of this.#entries.keys()) return void this.#entries.delete(oldest)
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  /** Deletes those that `gone` says. */
  sweep(gone: (value: T) => boolean): void {
    for (const [key, { value }] of this.#entries) if (gone(value)) this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }
}
