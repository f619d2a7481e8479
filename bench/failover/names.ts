import { Resolver } from 'node:dns/promises'

/** Asked so often in a look: hosts of one weight take turns in the answers. */
const asks = 4
const patienceMs = 700

/** Asks one name server from one place, without a cache. */
export class NameServer {
  readonly #resolver: Resolver
  readonly #name: string

  constructor(server: string, from: string, name: string) {
    this.#resolver = new Resolver({ timeout: patienceMs, tries: 1 })
    this.#resolver.setServers([server])
    this.#resolver.setLocalAddress(from)
    this.#name = name
  }

  /** All addresses that it gives now; null: it does not answer. */
  async look(): Promise<ReadonlySet<string> | null> {
    try {
      const answers = await Promise.all(
        Array.from({ length: asks }, () => this.#resolver.resolve4(this.#name)),
      )
      return new Set(answers.flat())
    } catch {
      return null
    }
  }
}
