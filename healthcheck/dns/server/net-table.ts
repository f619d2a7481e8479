import { type AddressBytes, bitAt } from './address.ts'

/** What an address was found to be, and how far that holds. */
export interface NetMatch<T> {
  /** Of the smallest network that holds the address; undefined: none does. */
  readonly value: T | undefined
  /** Length of the prefix within which all addresses have the same value. */
  readonly scope: number
}

const firstSize = 1024

/**
 * Networks of one address family with a value each, as a binary trie in flat arrays: a table of the world's networks
 * has a million nodes, and a checker little memory.
 */
export class NetTable<T> {
  /** Two for each node: the node on the side of bit 0 and of bit 1; 0: none, since nothing leads to the root. */
  #next = new Int32Array(2 * firstSize)
  /** Place in `values`; 0: none. */
  #value = new Int32Array(firstSize)
  /** Longest prefix at or below a node. */
  #deepest = new Uint8Array(firstSize)
  #nodes = 1
  readonly #values: (T | undefined)[] = [undefined]
  readonly #places = new Map<T, number>()

  /** Returns the value that the same network had before. The same values are kept once. */
  set(network: AddressBytes, prefix: number, value: T): T | undefined {
    let node = 0
    for (let depth = 0; depth < prefix; depth++) {
      this.#deepest[node] = Math.max(this.#deepest[node], prefix)
      const at = 2 * node + bitAt(network, depth)
      if (this.#next[at] === 0) {
        const made = this.#newNode(depth + 1)
        this.#next[at] = made
      }
      node = this.#next[at]
    }
    const before = this.#values[this.#value[node]]
    this.#value[node] = this.#placeOf(value)
    return before
  }

  /**
   * Looks up the first `prefix` bits. The scope is longer than `prefix` where smaller networks are in there, so that a
   * resolver tells more of the address the next time (RFC 7871, 7.2.1).
   */
  find(address: AddressBytes, prefix: number): NetMatch<T> {
    let node = 0
    let value = this.#value[0]
    for (let depth = 0; depth < prefix; depth++) {
      const next = this.#next[2 * node + bitAt(address, depth)]
      if (next === 0) {
        // The other side may have networks of its own: what was found holds for this side only.
        const alone = this.#next[2 * node] === 0 && this.#next[2 * node + 1] === 0
        return { value: this.#values[value], scope: alone ? depth : depth + 1 }
      }
      node = next
      value = this.#value[node] || value
    }
    return { value: this.#values[value], scope: Math.max(prefix, this.#deepest[node]) }
  }

  #newNode(depth: number): number {
    const node = this.#nodes++
    if (node === this.#value.length) this.#grow()
    this.#deepest[node] = depth
    return node
  }

  #grow(): void {
    const size = 2 * this.#value.length
    const [next, value, deepest] = [this.#next, this.#value, this.#deepest]
    this.#next = new Int32Array(2 * size)
    this.#next.set(next)
    this.#value = new Int32Array(size)
    this.#value.set(value)
    this.#deepest = new Uint8Array(size)
    this.#deepest.set(deepest)
  }

  #placeOf(value: T): number {
    let place = this.#places.get(value)
    if (place === undefined) {
      place = this.#values.push(value) - 1
      this.#places.set(value, place)
    }
    return place
  }
}
