import { get } from 'node:https'
import { StubResolver } from '#scripts/sim/stub-resolver.ts'

export interface UserOptions {
  /** `https://api.cell.test:8443` */
  readonly url: string
  readonly ca: Buffer
  readonly from: string
  readonly nameServers: readonly string[]
  readonly token: string
}

const everyMs = 1000
const patienceMs = 4000

/** Reads a list by REST once a second, each time over a new connection to where the name leads. */
export class User {
  /** When (`performance.now`) the last request that went well began, and the last that failed. */
  goodAt = Number.NEGATIVE_INFINITY
  failedAt = Number.NEGATIVE_INFINITY
  readonly #options: UserOptions
  readonly #resolver: StubResolver
  #timer: NodeJS.Timeout | null = null

  constructor(options: UserOptions) {
    this.#options = options
    this.#resolver = new StubResolver({ servers: options.nameServers, from: options.from })
  }

  go(): void {
    this.#timer ??= setInterval(() => void this.#ask(), everyMs)
  }

  end(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
  }

  async #ask(): Promise<void> {
    const at = performance.now()
    const status = await this.#status().catch(() => 0)
    if (status === 200) this.goodAt = Math.max(this.goodAt, at)
    else this.failedAt = Math.max(this.failedAt, at)
  }

  #status(): Promise<number> {
    const { url, ca, from, token } = this.#options
    return new Promise((resolve, reject) => {
      const options = {
        ca,
        localAddress: from,
        lookup: this.#resolver.lookup,
        agent: false,
        headers: { authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(patienceMs),
      }
      get(`${url}/v1/devices?limit=1`, options, (response) => {
        response.resume().once('end', () => resolve(response.statusCode ?? 0))
        response.once('error', reject)
      }).once('error', reject)
    })
  }
}
