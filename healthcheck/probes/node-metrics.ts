import type { Target } from './probe.ts'
import type { Rest } from './rest.ts'

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** Samples by the name of their metric. */
export type Samples = ReadonlyMap<string, readonly Sample[]>

/** What was read serves all probes of this time. */
const freshMs = 5000
const line = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/
const label = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g

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

/** Samples of the Prometheus text format (0.0.4) with these names. */
export function samplesOf(text: string, wanted: ReadonlySet<string>): Samples {
  const samples = new Map<string, Sample[]>()
  for (const one of text.split('\n')) {
    const [, name, labels = '', value] = line.exec(one) ?? []
    if (name === undefined || !wanted.has(name)) continue
    const known = samples.get(name) ?? []
    samples.set(name, known)
    const pairs = Array.from(labels.matchAll(label), ([, key, content]) => [key, content])
    known.push({ labels: Object.fromEntries(pairs), value: Number(value) })
  }
  return samples
}
