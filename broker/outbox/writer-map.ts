/** A map by writer: by its bytes, not by the object that holds them. */
export class WriterMap<T> {
  readonly #entries = new Map<string, { readonly writer: Uint8Array; readonly value: T }>()

  get(writer: Uint8Array): T | undefined {
    return this.#entries.get(keyOf(writer))?.value
  }

  set(writer: Uint8Array, value: T): void {
    this.#entries.set(keyOf(writer), { writer, value })
  }

  delete(writer: Uint8Array): void {
    this.#entries.delete(keyOf(writer))
  }

  *[Symbol.iterator](): Iterator<[Uint8Array, T]> {
    for (const { writer, value } of this.#entries.values()) yield [writer, value]
  }
}

function keyOf(writer: Uint8Array): string {
  return Buffer.from(writer.buffer, writer.byteOffset, writer.byteLength).toString('latin1')
}
