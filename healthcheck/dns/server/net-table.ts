import { type AddressBytes, bitAt } from './address.ts'

/** What an address was found to be, and how far that holds. */
export interface NetMatch<T> {
  /** Of the smallest network that holds the address; undefined: none does. */
  readonly value: T | undefined
  /** Length of the prefix within which all addresses have the same value. */
  readonly scope: number
}

interface Node<T> {
  value?: T
  zero?: Node<T>
  one?: Node<T>
  /** Longest prefix at or below this node. */
  deepest: number
}

/** Networks of one address family with a value each, as a binary trie. */
export class NetTable<T> {
  readonly #root: Node<T> = { deepest: 0 }

  /** Returns the value that the same network had before. */
  set(network: AddressBytes, prefix: number, value: T): T | undefined {
    let node = this.#root
    for (let depth = 0; depth < prefix; depth++) {
      node.deepest = Math.max(node.deepest, prefix)
      const side = bitAt(network, depth) === 0 ? 'zero' : 'one'
      node = node[side] ??= { deepest: depth + 1 }
    }
    const before = node.value
    node.value = value
    return before
  }

  /**
   * Looks up the first `prefix` bits. The scope is longer than `prefix` where smaller networks are in there, so that a
   * resolver tells more of the address the next time (RFC 7871, 7.2.1).
   */
  find(address: AddressBytes, prefix: number): NetMatch<T> {
    let node = this.#root
    let value = node.value
    for (let depth = 0; depth < prefix; depth++) {
      const next = bitAt(address, depth) === 0 ? node.zero : node.one
      if (next === undefined) {
        // The other side may have networks of its own: what was found holds for this side only.
        const alone = node.zero === undefined && node.one === undefined
        return { value, scope: alone ? depth : depth + 1 }
      }
      node = next
      value = node.value ?? value
    }
    return { value, scope: Math.max(prefix, node.deepest) }
  }
}
