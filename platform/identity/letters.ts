import type { Logger } from '../log.ts'
import type { Counter, Metrics } from '../metrics.ts'
import { systemTimers, type Timer, type Timers } from '../timers.ts'
import type { Purpose } from './one-time.ts'

export interface Letter {
  readonly to: string
  readonly subject: string
  readonly text: string
}

/** Hands a letter to a mail server. Rejects when that did not take it. */
export type Mailer = (letter: Letter) => Promise<void>

/** Letters that wait for the mail server; more are dropped and counted. */
const maxWaiting = 1000
/** Waits before each new try, ms. */
const retryMs = [1000, 10_000, 60_000] as const

const subjects: Readonly<Record<Exclude<Purpose, 'setup'>, string>> = {
  invitation: 'You are invited',
  reset: 'A new password',
}

/**
 * Links to people, by mail. Nobody waits for it: that an address is known must not be seen from the time of an answer.
 * Without a mail server the link is in the log, for the operator to pass on.
 */
export class Letters {
  /** Where people reach the API: `https://iot.example.com`. */
  base: string
  #sending = false
  #closed = false
  #pause: { timer: Timer; over: () => void } | null = null
  readonly #waiting: Letter[] = []
  readonly #mailer: Mailer | undefined
  readonly #log: Logger
  readonly #timers: Timers
  readonly #sent: Counter
  readonly #dropped: { full: Counter; refused: Counter }

  constructor(options: {
    mailer?: Mailer | undefined
    base?: string | undefined
    log: Logger
    metrics: Metrics
    timers?: Timers
  }) {
    this.base = options.base ?? ''
    this.#mailer = options.mailer
    this.#log = options.log
    this.#timers = options.timers ?? systemTimers
    this.#sent = options.metrics.counter('cinque_mail_sent_total', 'Letters that the mail server has taken')
    const dropped = (reason: string): Counter =>
      options.metrics.counter('cinque_mail_dropped_total', 'Letters that were not sent, by reason', {
        reason,
      })
    this.#dropped = { full: dropped('queue_full'), refused: dropped('refused') }
  }

  /** In the fragment, which browsers keep to themselves. */
  link(kind: Purpose, token: string): string {
    return `${this.base}/account#${kind}=${token}`
  }

  send(kind: Exclude<Purpose, 'setup'>, to: string, token: string, words: string): void {
    const link = this.link(kind, token)
    if (this.#mailer === undefined) {
      this.#log.warn(
        { event: 'identity.link', kind, to, link },
        'no mail server is configured: pass on this link',
      )
      return
    }
    if (this.#waiting.length >= maxWaiting) {
      this.#dropped.full.value++
      return
    }
    this.#waiting.push({ to, subject: `${subjects[kind]}: cinque`, text: `${words}\n\n${link}\n` })
    void this.#work(this.#mailer)
  }

  /** What waits is dropped. */
  close(): void {
    this.#closed = true
    this.#dropped.refused.value += this.#waiting.splice(0).length
    this.#pause?.timer.cancel()
    this.#pause?.over()
  }

  async #work(mailer: Mailer): Promise<void> {
    if (this.#sending) return
    this.#sending = true
    try {
      for (let letter = this.#waiting.shift(); letter !== undefined; letter = this.#waiting.shift()) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other: a mail server takes few at a time
        await this.#deliver(mailer, letter)
      }
    } finally {
      this.#sending = false
    }
  }

  async #deliver(mailer: Mailer, letter: Letter): Promise<void> {
    for (const wait of [...retryMs, null]) {
      try {
        // oxlint-disable-next-line no-await-in-loop
        await mailer(letter)
        this.#sent.value++
        return
      } catch (error) {
        const left = wait === null ? 'given up' : 'trying again'
        this.#log.warn({ event: 'mail.failed', to: letter.to, err: error }, `a letter was not taken: ${left}`)
        // oxlint-disable-next-line no-await-in-loop
        if (wait !== null && !this.#closed) await this.#rest(wait)
      }
      if (this.#closed) break
    }
    this.#dropped.refused.value++
  }

  #rest(ms: number): Promise<void> {
    return new Promise((over) => {
      this.#pause = { over, timer: this.#timers.after(ms, over) }
    })
  }
}
