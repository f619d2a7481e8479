import type { Logger } from '#platform/log.ts'

const againMs = 60_000
/** Different lines that are remembered. */
const maxLines = 100
/** Nodes that join are told of before they are known. */
const harmless = /host was not found/

/** What the driver warns of, each line at most once a minute: in an outage it would say the same at every attempt. */
export class DriverWarnings {
  readonly #log: Logger
  readonly #said = new Map<string, { at: number; left: number }>()

  constructor(log: Logger) {
    this.#log = log
  }

  hear(level: string, name: string, message: string): void {
    if ((level !== 'error' && level !== 'warning') || harmless.test(message)) return
    const now = Date.now()
    const said = this.#said.get(message)
    if (said !== undefined && now - said.at < againMs) {
      said.left++
      return
    }
    if (this.#said.size >= maxLines) this.#said.clear()
    this.#said.set(message, { at: now, left: 0 })
    this.#log.warn({ event: 'store.driver', name, repeated: said?.left ?? 0 }, message)
  }
}
