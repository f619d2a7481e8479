import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Logger } from '#platform/log.ts'

/** A small JSON document in the state directory; a checker goes on without it when it can't be read or written. */
export class StateFile<T> {
  readonly #path: string
  readonly #log: Logger
  #failing = false

  constructor(path: string, log: Logger) {
    this.#path = path
    this.#log = log
  }

  /** Undefined: there is none, or it makes no sense. */
  read(isOne: (value: unknown) => value is T): T | undefined {
    try {
      const value: unknown = JSON.parse(readFileSync(this.#path, 'utf8'))
      if (isOne(value)) return value
      this.#log.warn({ event: 'health.state', file: this.#path }, 'what was kept makes no sense; begins anew')
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) {
        this.#log.warn({ event: 'health.state', err: error }, 'what was kept cannot be read; begins anew')
      }
    }
    return undefined
  }

  /** Whole or not at all. */
  write(value: T): void {
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 })
      writeFileSync(`${this.#path}.new`, JSON.stringify(value), { mode: 0o600 })
      renameSync(`${this.#path}.new`, this.#path)
      this.#failing = false
    } catch (error) {
      if (!this.#failing) this.#log.error({ event: 'health.state', err: error }, 'nothing can be kept')
      this.#failing = true
    }
  }
}
