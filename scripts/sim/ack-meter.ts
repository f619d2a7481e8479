import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

export interface AckReport {
  sent: number
  acknowledged: number
  /** Refused by the broker, or given up. */
  failed: number
  /** Not sent because too much was unacknowledged already. */
  skipped: number
  lost_connections: number
  /** Milliseconds from publish to acknowledgement; null without any. */
  ack_p50_ms: number | null
  ack_p99_ms: number | null
}

/** Counts messages and the time to their acknowledgements, in total and since the last look. */
export class AckMeter {
  readonly #total = createHistogram()
  readonly #recent = createHistogram()
  readonly #counts = { sent: 0, acknowledged: 0, failed: 0, skipped: 0, lost_connections: 0 }

  /** Messages sent and neither acknowledged nor failed. */
  get waiting(): number {
    return this.#counts.sent - this.#counts.acknowledged - this.#counts.failed
  }

  /** Counts one message; the answer is to be called when it is acknowledged or has failed. */
  sent(): (error: Error | null) => void {
    this.#counts.sent++
    const at = performance.now()
    return (error) => {
      if (error !== null) {
        this.#counts.failed++
        return
      }
      this.#counts.acknowledged++
      const micros = Math.max(1, Math.round((performance.now() - at) * 1000))
      this.#total.record(micros)
      this.#recent.record(micros)
    }
  }

  skip(): void {
    this.#counts.skipped++
  }

  lostConnection(): void {
    this.#counts.lost_connections++
  }

  /** Counts since the start; latencies since the last call. */
  recent(): AckReport {
    const report = this.#report(this.#recent)
    this.#recent.reset()
    return report
  }

  total(): AckReport {
    return this.#report(this.#total)
  }

  #report(histogram: RecordableHistogram): AckReport {
    const at = (percentile: number): number | null =>
      histogram.count === 0 ? null : histogram.percentile(percentile) / 1000
    return { ...this.#counts, ack_p50_ms: at(50), ack_p99_ms: at(99) }
  }
}
