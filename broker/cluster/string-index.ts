/** Of the slots in use, at most: more would make searches long, fewer would cost memory. */
const MOST = 0.8
const FEWEST = 16
/** FNV-1a, 32 bits. */
const BASIS = 0x811c9dc5
const PRIME = 0x01000193

const removed = Symbol('removed')
type Slot<T> = T | typeof removed | undefined

/**
 * Objects by a string that each has: a third of the memory of a `Map`, which keeps the string, the object and a link
 * of each entry. Open addressing with linear probing. While `values` is walked, objects may come and go: what is there all along
 * is met, what is there no more is not.
 */
export class StringIndex<T extends object> {
  size = 0
  readonly #keyOf: (item: T) => string
  #slots: Slot<T>[] = emptySlots(FEWEST)
  /** Slots that are not free: `size`, and those whose object was removed. */
  #used = 0

  /** `keyOf`: always the same string for the same object. */
  constructor(keyOf: (item: T) => string) {
    this.#keyOf = keyOf
  }

  get(key: string): T | undefined {
    const item = this.#slots[this.#find(key)]
    return item === removed ? undefined : item
  }

  /** Adds an object, in place of one with the same string. */
  set(item: T): void {
    const at = this.#find(this.#keyOf(item))
    if (this.#slots[at] === undefined) {
      this.#used++
      this.size++
    }
    this.#slots[at] = item
    if (this.#used > this.#slots.length * MOST) this.#rebuild()
  }

  delete(key: string): void {
    const at = this.#find(key)
    if (this.#slots[at] === undefined) return
    this.#slots[at] = removed
    this.size--
    if (this.size === 0) this.#rebuild()
  }

  *values(): IterableIterator<T> {
    const slots = this.#slots
    for (const item of slots) {
      if (item === undefined || item === removed) continue
      if (slots === this.#slots || this.get(this.#keyOf(item)) === item) yield item
    }
  }

  /** Where the object with this string is, else a free slot for it. */
  #find(key: string): number {
    const slots = this.#slots
    const mask = slots.length - 1
    for (let at = hash(key) & mask; ; at = (at + 1) & mask) {
      const item = slots[at]
      if (item === undefined || (item !== removed && this.#keyOf(item) === key)) return at
    }
  }

  #rebuild(): void {
    const old = this.#slots
    let length = FEWEST
    // Room to grow by a fifth before the next time.
    while (this.size * 1.2 > length * MOST) length *= 2
    this.#slots = emptySlots(length)
    this.#used = this.size
    for (const item of old) {
      if (item !== undefined && item !== removed) this.#slots[this.#find(this.#keyOf(item))] = item
    }
  }
}

function emptySlots<T>(length: number): Slot<T>[] {
  return Array.from({ length }, () => undefined)
}

function hash(key: string): number {
  let h = BASIS
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), PRIME)
  // Names that differ in a digit must not lie side by side (the finalizer of MurmurHash3).
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
