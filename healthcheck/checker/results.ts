import { Histogram, type Metrics } from '#platform/metrics.ts'
import type { ProbeResult } from '../probes/probe.ts'

/** What is known of one probe of one host. */
export interface Seen {
  readonly last: ProbeResult
  /** Looks with this outcome in a row, the last included. */
  readonly streak: number
  readonly lastError?: { readonly text: string; readonly at: number }
}

/** Seconds: from a LAN to the time limits of probes. */
const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20]

/** The last look of every probe at every host, and how long looks take; listeners hear each as it comes. */
export class Results {
  readonly #records = new Map<string, Seen>()
  readonly #listeners = new Set<(result: ProbeResult) => void>()
  readonly #latencies = new Map<string, Histogram>()
  readonly #metrics: Metrics

  constructor(metrics: Metrics) {
    this.#metrics = metrics
    metrics.gauge('cinque_health_probe_ok', 'Whether the last look of a probe at a host went well', () =>
      this.#labelled(({ ok }) => Number(ok)),
    )
    metrics.gauge('cinque_health_probe_seconds', 'How long the last look took', () =>
      this.#labelled(({ ms }) => ms / 1000),
    )
    metrics.gauge('cinque_health_probe_timestamp_seconds', 'When the last look ended', () =>
      this.#labelled(({ at }) => at / 1000),
    )
    metrics.gauge('cinque_health_certificate_days', 'Days for which the certificate of a host is good', () =>
      this.#noted('certificate', 'days'),
    )
    metrics.gauge('cinque_health_clock_skew_seconds', 'By how much the clock of a host is ahead', () =>
      this.#noted('clock', 'skew'),
    )
  }

  add(result: ProbeResult): void {
    const key = `${result.probe} ${result.host}`
    const before = this.#records.get(key)
    const streak = before?.last.ok === result.ok ? before.streak + 1 : 1
    const lastError = result.error === undefined ? before?.lastError : { text: result.error, at: result.at }
    this.#records.set(key, { last: result, streak, ...(lastError === undefined ? {} : { lastError }) })
    this.#count(result)
    for (const listener of this.#listeners) listener(result)
  }

  /** Calls the listener with each result to come, until the returned function is called. */
  onResult(listener: (result: ProbeResult) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  get records(): Iterable<Seen> {
    return this.#records.values()
  }

  /** Whether a probe that counts found that host to fail, the last time. */
  failing(host: string): boolean {
    for (const { last } of this.#records.values()) {
      if (last.host === host && last.weight === 'serve' && !last.ok) return true
    }
    return false
  }

  /** Latencies of successful looks, by probe: upper bounds in seconds, and looks in each, the last without a bound. */
  latencies(): { probe: string; bounds: readonly number[]; counts: number[] }[] {
    return Array.from(this.#latencies, ([probe, histogram]) => ({
      probe,
      bounds: histogram.bounds,
      counts: [...histogram.counts],
    }))
  }

  #count({ probe, ok, ms }: ProbeResult): void {
    const outcome = ok ? 'ok' : 'failed'
    this.#metrics.counter('cinque_health_looks_total', 'Looks at hosts', { probe, outcome }).value++
    if (!ok) return
    let histogram = this.#latencies.get(probe)
    if (histogram === undefined) {
      const name = `cinque_health_${probe.replaceAll('-', '_')}_seconds`
      histogram = this.#metrics.histogram(name, `How long good looks of ${probe} take`, bounds)
      this.#latencies.set(probe, histogram)
    }
    histogram.observe(ms / 1000)
  }

  *#labelled(value: (result: ProbeResult) => number): Generator<[{ [label: string]: string }, number]> {
    for (const { last } of this.#records.values()) {
      yield [{ probe: last.probe, host: last.host, dc: last.dc }, value(last)]
    }
  }

  *#noted(probe: string, note: string): Generator<[{ [label: string]: string }, number]> {
    for (const { last } of this.#records.values()) {
      const value = last.probe === probe ? last.note?.[note] : undefined
      if (typeof value === 'number') yield [{ host: last.host, dc: last.dc }, value]
    }
  }
}
