/**
 * States of packet identifiers in use, in a table that grows from 16 entries: a Map costs four times as much per
 * look-up and more memory. A slot is chosen by the low bits; identifiers are given out in sequence, so neighbours
 * rarely meet, and when they do the table doubles (65,536 entries at most: then every identifier has its own).
 */
export class PacketIds {
  count = 0
  #ids = new Uint16Array(16)
  #states = new Uint8Array(16)

  /** The state of an identifier, 0 when it is free. */
  get(id: number): number {
    const slot = id & (this.#ids.length - 1)
    return this.#ids[slot] === id ? this.#states[slot] : 0
  }

  /** Sets a state other than 0. */
  set(id: number, state: number): void {
    let slot = id & (this.#ids.length - 1)
    while (this.#states[slot] !== 0 && this.#ids[slot] !== id) {
      this.#grow()
      slot = id & (this.#ids.length - 1)
    }
    if (this.#states[slot] === 0) this.count++
    this.#ids[slot] = id
    this.#states[slot] = state
  }

  /** Frees an identifier; false when it was free. */
  delete(id: number): boolean {
    const slot = id & (this.#ids.length - 1)
    if (this.#states[slot] === 0 || this.#ids[slot] !== id) return false
    this.#states[slot] = 0
    this.#ids[slot] = 0
    this.count--
    return true
  }

  /** The identifier after `id` that is free. There must be one. */
  nextFree(id: number): number {
    do id = id === 65_535 ? 1 : id + 1
    while (this.get(id) !== 0)
    return id
  }

  #grow(): void {
    let size = this.#ids.length
    for (;;) {
      size *= 2
      const ids = new Uint16Array(size)
      const states = new Uint8Array(size)
      let clash = false
      for (let i = 0; i < this.#ids.length && !clash; i++) {
        if (this.#states[i] === 0) continue
        const slot = this.#ids[i] & (size - 1)
        clash = states[slot] !== 0
        ids[slot] = this.#ids[i]
        states[slot] = this.#states[i]
      }
      if (clash) continue
      this.#ids = ids
      this.#states = states
      return
    }
  }
}
