import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs'

/** What a program writes to its log file from now on. */
export class LogTail {
  readonly file: string
  #at: number
  #text = ''

  constructor(file: string) {
    this.file = file
    this.#at = existsSync(file) ? statSync(file).size : 0
  }

  /** All that was written since this object was made. */
  read(): string {
    if (!existsSync(this.file)) return this.#text
    const size = statSync(this.file).size
    if (size <= this.#at) return this.#text
    const bytes = Buffer.allocUnsafe(size - this.#at)
    const descriptor = openSync(this.file, 'r')
    try {
      const count = readSync(descriptor, bytes, 0, bytes.length, this.#at)
      this.#at += count
      this.#text += bytes.toString('utf8', 0, count)
    } finally {
      closeSync(descriptor)
    }
    return this.#text
  }
}
