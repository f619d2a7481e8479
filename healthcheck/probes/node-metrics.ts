import { type Samples, samplesOf } from '#platform/samples.ts'
import type { Target } from './probe.ts'
import type { Rest } from './rest.ts'

/** What was read serves all probes of this time. */
const freshMs = 5000

/** Reads the metrics of hosts' APIs, of which only the named ones are kept. */
export class NodeMetrics {
  readonly #rest: Rest
  readonly #wanted: ReadonlySet<string>
  readonly #read = new Map<string, { readonly at: number; readonly samples: Promise<Samples> }>()

  constructor(rest: Rest, wanted: readonly string[]) {
    this.#rest = rest
    this.#wanted = new Set(wanted)
  }

  read(target: Target, signal: AbortSignal): Promise<Samples> {
    const known = this.#read.get(target.host.name)
    const now = performance.now()
    if (known !== undefined && now - known.at < freshMs) return known.samples
    const samples = this.#ask(target, signal)
    this.#read.set(target.host.name, { at: now, samples })
    samples.catch(() => this.#read.delete(target.host.name))
    return samples
  }

  async #ask(target: Target, signal: AbortSignal): Promise<Samples> {
    const { status, text } = await this.#rest.ask(target, { method: 'GET', path: '/metrics' }, signal)
    if (status !== 200) throw new Error(`GET /metrics: ${status}`)
    return samplesOf(text, this.#wanted)
  }
}
