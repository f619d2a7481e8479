const splitAt = 512

interface Chunk<V> {
  keys: string[]
  values: V[]
}

/** A map ordered by its string keys (by UTF-16 code units): a list of sorted chunks. Append and lookup are O(log n). */
export class SortedMap<V> {
  size = 0
  #chunks: Chunk<V>[] = [{ keys: [], values: [] }]

  get(key: string): V | undefined {
    const chunk = this.#chunks[this.#chunkOf(key)]
    const index = lowerBound(chunk.keys, key)
    return chunk.keys[index] === key ? chunk.values[index] : undefined
  }

  /** Sets a value and returns the one it replaces. */
  set(key: string, value: V): V | undefined {
    const at = this.#chunkOf(key)
    const chunk = this.#chunks[at]
    const index = lowerBound(chunk.keys, key)
    if (chunk.keys[index] === key) {
      const old = chunk.values[index]
      chunk.values[index] = value
      return old
    }
    this.size++
    if (index === chunk.keys.length) {
      chunk.keys.push(key)
      chunk.values.push(value)
    } else {
      chunk.keys.splice(index, 0, key)
      chunk.values.splice(index, 0, value)
    }
    if (chunk.keys.length > splitAt) this.#split(at)
    return undefined
  }

  /** Removes a key and returns its value. */
  delete(key: string): V | undefined {
    const at = this.#chunkOf(key)
    const chunk = this.#chunks[at]
    const index = lowerBound(chunk.keys, key)
    if (chunk.keys[index] !== key) return undefined
    const old = chunk.values[index]
    chunk.keys.splice(index, 1)
    chunk.values.splice(index, 1)
    this.size--
    if (chunk.keys.length === 0 && this.#chunks.length > 1) this.#chunks.splice(at, 1)
    return old
  }

  /** Entries with from <= key < end (no end: to the last), ascending or descending. The map must not change meanwhile. */
  *entries(from: string, end?: string, reverse = false): Generator<[string, V]> {
    const last = end === undefined ? this.#chunks.length - 1 : this.#chunkOf(end)
    const step = reverse ? -1 : 1
    let at = reverse ? last : this.#chunkOf(from)
    for (; at >= 0 && at < this.#chunks.length; at += step) {
      const { keys, values } = this.#chunks[at]
      const low = lowerBound(keys, from)
      const high = end === undefined ? keys.length : lowerBound(keys, end)
      for (let index = reverse ? high - 1 : low; index >= low && index < high; index += step) {
        yield [keys[index], values[index]]
      }
      // The first key out of bounds ends the walk.
      if (reverse ? low > 0 : high < keys.length) return
    }
  }

  #chunkOf(key: string): number {
    let low = 0
    let high = this.#chunks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.#chunks[middle].keys[0] <= key) low = middle
      else high = middle - 1
    }
    return low
  }

  #split(at: number): void {
    const chunk = this.#chunks[at]
    // A chunk that was filled at its end is likely to be a growing log: leave the old part full.
    const cut = at === this.#chunks.length - 1 ? splitAt - 16 : splitAt >>> 1
    const next = { keys: chunk.keys.splice(cut), values: chunk.values.splice(cut) }
    this.#chunks.splice(at + 1, 0, next)
  }
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  // Appending is the usual case.
  if (high > 0 && keys[high - 1] < key) return high
  while (low < high) {
    const middle = (low + high) >>> 1
    if (keys[middle] < key) low = middle + 1
    else high = middle
  }
  return low
}
