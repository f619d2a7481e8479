import { type Inventory } from '#platform/inventory/inventory.ts'
import { type Samples, samplesOf } from '#platform/samples.ts'
import { errorLine } from '#scripts/output.ts'
import { reachOf } from '../reach.ts'

/** What an app host's API says of itself, or why it does not. */
export interface HostPage {
  readonly host: string
  readonly dc: string
  readonly samples: Samples | null
  /** Null: it was read. */
  readonly problem: string | null
}

const timeoutMs = 5000
/** What was read serves all gates of one look. */
const freshMs = 1000

/** The metrics of all app hosts' APIs, as they are now. */
export class HostPages {
  readonly #inventory: Pick<Inventory, 'dcs' | 'hosts' | 'ports'>
  #known: { readonly at: number; readonly pages: Promise<readonly HostPage[]> } | null = null

  constructor(inventory: Pick<Inventory, 'dcs' | 'hosts' | 'ports'>) {
    this.#inventory = inventory
  }

  /** Of all app hosts in the inventory's order. Never rejects. */
  read(): Promise<readonly HostPage[]> {
    const now = performance.now()
    if (this.#known !== null && now - this.#known.at < freshMs) return this.#known.pages
    const { hosts, ports } = this.#inventory
    const apps = hosts.filter(({ roles }) => roles.includes('app'))
    const pages = Promise.all(
      apps.map(async ({ name: host, dc, address }) => {
        try {
          return { host, dc, samples: await readPage(address, ports.http), problem: null }
        } catch (error) {
          return { host, dc, samples: null, problem: errorLine(error) }
        }
      }),
    )
    this.#known = { at: now, pages }
    return pages
  }

  /** The host, and those that serve nobody without it: how they are does not count. */
  goWith(host: string): ReadonlySet<string> {
    return new Set([host, ...reachOf(this.#inventory, host).apps])
  }

  /** Those of other hosts that answer. */
  async others(host: string): Promise<{ host: string; dc: string; samples: Samples }[]> {
    const pages = await this.read()
    const without = this.goWith(host)
    return pages.flatMap(({ samples, ...page }) =>
      samples === null || without.has(page.host) ? [] : [{ host: page.host, dc: page.dc, samples }],
    )
  }
}

/** The Prometheus page of a host's API or broker. */
export async function readPage(address: string, port: number): Promise<Samples> {
  const host = address.includes(':') ? `[${address}]` : address
  const url = `http://${host}:${port}/metrics`
  let answer: Response
  try {
    answer = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) })
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    throw new Error(`${url}: ${errorLine(cause)}`, { cause: error })
  }
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`)
  return samplesOf(text)
}
