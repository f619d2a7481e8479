import type { Logger } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { systemTimers, type Timer, type Timers } from '../timers.ts'
import type { Certificates } from './certificates.ts'

const days = [7, 30] as const
/** All certificates are looked at. */
const everyMs = 3_600_000

/** The metric of certificates that end soon: two numbers for all organisations, counted each hour. */
export class CertificateExpiry {
  #counts: ReadonlyMap<number, number> = new Map()
  #timer: Timer | null = null
  readonly #certificates: Certificates
  readonly #log: Logger
  readonly #timers: Timers

  constructor(
    certificates: Certificates,
    { metrics, log, timers }: { metrics: Metrics; log: Logger; timers?: Timers | undefined },
  ) {
    this.#certificates = certificates
    this.#log = log
    this.#timers = timers ?? systemTimers
    metrics.gauge(
      'cinque_certificates_expiring',
      'Certificates of devices that are good and end within so many days',
      () => Array.from(this.#counts, ([within, count]) => [{ days: String(within) }, count]),
    )
  }

  /** From now on they are counted. */
  start(): void {
    if (this.#timer !== null) return
    this.#timer = this.#timers.every(everyMs, () => void this.count())
    void this.count()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  async count(): Promise<void> {
    try {
      this.#counts = await this.#certificates.expiring(days)
    } catch (error) {
      this.#log.warn(
        { event: 'certificates.uncounted', err: error },
        'certificates that end soon were not counted',
      )
    }
  }
}
