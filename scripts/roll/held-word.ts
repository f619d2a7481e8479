import type { Hands } from './hands.ts'

/**
 * For how long a host is out of DNS by one word of its runner, ms: without a runner it is given to the checkers' votes again
 * after that. Another runner follows within two minutes, and clocks may be minutes apart.
 */
export const wordMs = 900_000
/** How often the word is said again, ms: the store may be away for the rest of it. */
const renewMs = 300_000

/** What a runner says in DNS about the host that it is at: it lasts while the runner is heard of, and not much longer. */
export class HeldWord {
  readonly #hands: Pick<Hands, 'extend'>
  #host: string | null = null
  #until = 0
  #underWay: Promise<void> = Promise.resolve()
  #busy = false

  constructor(hands: Pick<Hands, 'extend'>) {
    this.#hands = hands
  }

  /** It was said of `host`, and ends at `until` (milliseconds since 1970) unless `renew` is called. */
  hold(host: string, until: number): void {
    this.#host = host
    this.#until = until
  }

  /** The runner lives at `now`, by the platform's clock. What cannot be said now is said next time. */
  renew(now: number): void {
    const host = this.#host
    const until = now + wordMs
    if (host === null || this.#busy || until - this.#until < renewMs) return
    this.#busy = true
    this.#underWay = this.#hands
      .extend(host, until)
      .then(() => {
        if (this.#host === host) this.#until = until
      })
      .catch(() => undefined)
      .finally(() => (this.#busy = false))
  }

  /** Resolves when nothing that `renew` began is under way any more. */
  renewed(): Promise<void> {
    return this.#underWay
  }

  /** It is not said again, and nothing of it comes after this has resolved. */
  release(): Promise<void> {
    this.#host = null
    return this.#underWay
  }
}
