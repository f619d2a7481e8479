/**
 * Counters and gauges in the Prometheus text format (exposition format 0.0.4). A counter is a plain object whose
 * `value` the hot path increments; nothing is computed before somebody asks.
 */
export class Counter {
  value = 0
  readonly name: string
  readonly help: string
  readonly labels: string

  constructor(name: string, help: string, labels: Record<string, string>) {
    this.name = name
    this.help = help
    this.labels = renderLabels(labels)
  }
}

/** Cumulative histogram with fixed upper bounds, in base units (seconds, bytes). */
export class Histogram {
  readonly name: string
  readonly help: string
  readonly bounds: readonly number[]
  readonly counts: Float64Array
  sum = 0

  constructor(name: string, help: string, bounds: readonly number[]) {
    this.name = name
    this.help = help
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    let i = 0
    while (i < this.bounds.length && value > this.bounds[i]) i++
    this.counts[i]++
    this.sum += value
  }
}

interface Gauge {
  name: string
  help: string
  read: () => number | Iterable<[labels: Record<string, string>, value: number]>
}

export class Metrics {
  readonly #counters = new Map<string, Counter[]>()
  readonly #histograms = new Map<string, Histogram>()
  readonly #gauges = new Map<string, Gauge>()

  /** The counter of this name and these labels, made at the first call. Names end in `_total`. */
  counter(name: string, help: string, labels: Record<string, string> = {}): Counter {
    const family = this.#counters.get(name) ?? []
    this.#counters.set(name, family)
    const wanted = renderLabels(labels)
    let counter = family.find((c) => c.labels === wanted)
    if (counter === undefined) family.push((counter = new Counter(name, help, labels)))
    return counter
  }

  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    let histogram = this.#histograms.get(name)
    if (histogram === undefined) this.#histograms.set(name, (histogram = new Histogram(name, help, bounds)))
    return histogram
  }

  /** A value read when it is asked for; `read` may return one number or one per label set. */
  gauge(name: string, help: string, read: Gauge['read']): void {
    this.#gauges.set(name, { name, help, read })
  }

  /** Sum over all label sets of a counter; 0 if there is none. */
  total(name: string): number {
    let sum = 0
    for (const counter of this.#counters.get(name) ?? []) sum += counter.value
    return sum
  }

  /** The whole page for `GET /metrics`. */
  render(): string {
    const out: string[] = []
    for (const [name, family] of this.#counters) {
      out.push(`# HELP ${name} ${family[0].help}`, `# TYPE ${name} counter`)
      for (const counter of family) out.push(`${name}${counter.labels} ${counter.value}`)
    }
    for (const gauge of this.#gauges.values()) {
      out.push(`# HELP ${gauge.name} ${gauge.help}`, `# TYPE ${gauge.name} gauge`)
      const value = gauge.read()
      if (typeof value === 'number') out.push(`${gauge.name} ${value}`)
      else for (const [labels, one] of value) out.push(`${gauge.name}${renderLabels(labels)} ${one}`)
    }
    for (const h of this.#histograms.values()) {
      out.push(`# HELP ${h.name} ${h.help}`, `# TYPE ${h.name} histogram`)
      let cumulative = 0
      for (let i = 0; i < h.bounds.length; i++) {
        cumulative += h.counts[i]
        out.push(`${h.name}_bucket{le="${h.bounds[i]}"} ${cumulative}`)
      }
      cumulative += h.counts[h.bounds.length]
      out.push(
        `${h.name}_bucket{le="+Inf"} ${cumulative}`,
        `${h.name}_sum ${h.sum}`,
        `${h.name}_count ${cumulative}`,
      )
    }
    return `${out.join('\n')}\n`
  }
}

function renderLabels(labels: Record<string, string>): string {
  const entries = Object.entries(labels)
  if (entries.length === 0) return ''
  const escape = (value: string): string =>
    value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')
  return `{${entries.map(([k, v]) => `${k}="${escape(v)}"`).join(',')}}`
}
