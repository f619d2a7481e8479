import type { CinqueClient } from '#client/index.ts'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'

const lookMs = 1000

/**
 * The hosts that devices and users are sent to, as the checkers' name servers answer: all app hosts of live DCs but those
 * that somebody has taken out. Read once a second, as a resolver would with a short TTL.
 */
export class Names {
  readonly #all: readonly Host[]
  readonly #timer: NodeJS.Timeout
  #out: ReadonlySet<string> = new Set()
  #turn = 0

  constructor({ hosts, dcs }: Inventory, client: CinqueClient) {
    const live = new Set(dcs.filter(({ kind }) => kind === 'live').map(({ name }) => name))
    this.#all = hosts.filter(({ roles, dc }) => roles.includes('app') && live.has(dc))
    const look = async (): Promise<void> => {
      const { items } = await client.get('/v1/overrides')
      this.#out = new Set(items.filter(({ action }) => action === 'out').map(({ subject }) => subject))
    }
    this.#timer = setInterval(() => void look().catch(() => undefined), lookMs)
  }

  /** An address, each of them in turn; another one than `but`, if there is one. */
  next(but?: string): string {
    const serving = this.#all.filter((host) => this.#serves(host))
    const some = (serving.length === 0 ? this.#all : serving).filter(({ address }) => address !== but)
    const [first] = this.#all
    return (some[this.#turn++ % some.length] ?? first).address
  }

  /** Whether it is still among the answers. */
  has(address: string): boolean {
    return !this.#all.some((host) => host.address === address && !this.#serves(host))
  }

  #serves({ name, dc }: Host): boolean {
    return !this.#out.has(name) && !this.#out.has(dc)
  }

  end(): void {
    clearInterval(this.#timer)
  }
}
