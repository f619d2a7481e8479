import { randomBytes } from 'node:crypto'
import type { Metrics } from '#platform/metrics.ts'
import type { Timer, Timers } from '#platform/timers.ts'
import type { Ballot } from './ballot.ts'
import { answerText, maxAnswer, messageText, noncePattern, parseAnswer, parseMessage } from './message.ts'
import type { Keyring } from './sign.ts'

/** Asks another checker for its votes. Resolves with its answer as it came; rejects with an Error of one line. Ends at `signal`. */
export type Ask = (checker: string, nonce: string, signal: AbortSignal) => Promise<string>

export interface ExchangeOptions {
  readonly cell: string
  /** This checker, and all others. */
  readonly checker: string
  readonly others: readonly string[]
  readonly keys: Keyring
  readonly ask: Ask
  readonly timers: Timers
  readonly metrics: Metrics
  /** What this checker says now. */
  readonly own: () => Pick<Ballot, 'votes' | 'holds'>
  /** Called after each new ballot. */
  readonly onBallot: () => void
  /** Milliseconds between two questions to one checker, and after which a question has failed. */
  readonly pullMs?: number
  readonly timeoutMs?: number
}

/** Why an answer is no vote. */
type Refusal =
  | 'too_large'
  | 'malformed'
  | 'bad_signature'
  | 'other_cell'
  | 'other_checker'
  | 'other_nonce'
  | 'old_sequence'

/** What is known of another checker, for people. */
export interface Neighbour {
  readonly checker: string
  /** Milliseconds since it was last heard; null: never. */
  readonly ageMs: number | null
  /** What became of the last question; null: an answer. */
  readonly error: string | null
}

const defaultPullMs = 2000
const defaultTimeoutMs = 2000

interface Other {
  readonly checker: string
  ballot: Omit<Ballot, 'ageMs'> | null
  /** When the question that it answers was asked, monotonic milliseconds. */
  askedAt: number
  boot: string
  sequence: number
  error: string | null
  asking: AbortController | null
}

/** Asks each other checker for its votes again and again, and answers the others. */
export class Exchange {
  readonly #options: ExchangeOptions
  readonly #pullMs: number
  readonly #timeoutMs: number
  readonly #others: readonly Other[]
  readonly #boot = randomBytes(9).toString('base64url')
  #sequence = 0
  #timers: readonly Timer[] = []

  constructor(options: ExchangeOptions) {
    this.#options = options
    this.#pullMs = options.pullMs ?? defaultPullMs
    this.#timeoutMs = options.timeoutMs ?? defaultTimeoutMs
    this.#others = options.others.map((checker) => ({
      checker,
      ballot: null,
      askedAt: 0,
      boot: '',
      sequence: -1,
      error: 'not asked yet',
      asking: null,
    }))
    options.metrics.gauge('cinque_votes_age_seconds', 'Age of what another checker said last', () =>
      this.#others
        .filter(({ ballot }) => ballot !== null)
        .map((other): [Record<string, string>, number] => [
          { checker: other.checker },
          (options.timers.monotonic() - other.askedAt) / 1000,
        ]),
    )
  }

  start(): void {
    const { timers } = this.#options
    this.#timers = this.#others.map((other) => timers.every(this.#pullMs, () => void this.#pull(other)))
    for (const other of this.#others) void this.#pull(other)
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel()
    for (const { asking } of this.#others) asking?.abort(new Error('stopped'))
  }

  /** The latest ballots of the others, however old. */
  ballots(): readonly Ballot[] {
    const now = this.#options.timers.monotonic()
    return this.#others.flatMap(({ ballot, askedAt }) =>
      ballot === null ? [] : [{ ...ballot, ageMs: now - askedAt }],
    )
  }

  neighbours(): readonly Neighbour[] {
    const now = this.#options.timers.monotonic()
    return this.#others.map(({ checker, ballot, askedAt, error }) => ({
      checker,
      ageMs: ballot === null ? null : Math.round(now - askedAt),
      error,
    }))
  }

  /** How many others were heard within `ms`. */
  heardWithin(ms: number): number {
    const now = this.#options.timers.monotonic()
    return this.#others.filter(({ ballot, askedAt }) => ballot !== null && now - askedAt <= ms).length
  }

  /** The answer to another checker's question; undefined: that is no nonce. */
  answer(nonce: string): string | undefined {
    if (!noncePattern.test(nonce)) return undefined
    const { cell, checker, keys, own } = this.#options
    const { votes, holds } = own()
    const signed = messageText({
      cell,
      checker,
      nonce,
      boot: this.#boot,
      sequence: this.#sequence++,
      votes,
      holds,
    })
    return answerText(signed, keys.sign(signed))
  }

  async #pull(other: Other): Promise<void> {
    // One question at a time: a slow checker does not get more of them.
    if (other.asking !== null) return
    const { timers, metrics, ask, onBallot } = this.#options
    const asking = new AbortController()
    other.asking = asking
    const askedAt = timers.monotonic()
    const limit = timers.after(this.#timeoutMs, () =>
      asking.abort(new Error(`no answer within ${this.#timeoutMs / 1000} s`)),
    )
    const nonce = randomBytes(16).toString('base64url')
    try {
      const text = await Promise.race([ask(other.checker, nonce, asking.signal), aborted(asking.signal)])
      const refusal = this.#take(other, text, nonce, askedAt)
      other.error = refusal === undefined ? null : `refused: ${refusal}`
      if (refusal === undefined) onBallot()
      else {
        metrics.counter('cinque_votes_refused_total', 'Answers of checkers that were no votes, by reason', {
          checker: other.checker,
          reason: refusal,
        }).value++
      }
    } catch (error) {
      other.error = error instanceof Error ? error.message.split('\n')[0] : String(error)
      metrics.counter('cinque_votes_unanswered_total', 'Questions to checkers that got no answer', {
        checker: other.checker,
      }).value++
    } finally {
      limit.cancel()
      other.asking = null
    }
  }

  /** The gates of an answer, the cheap ones first; nothing in it is looked at before the signature is good. */
  #take(other: Other, text: string, nonce: string, askedAt: number): Refusal | undefined {
    const { cell, keys } = this.#options
    if (text.length > maxAnswer) return 'too_large'
    const answer = parseAnswer(text)
    if (answer === undefined) return 'malformed'
    if (!keys.verify(other.checker, answer.signed, answer.signature)) return 'bad_signature'
    const message = parseMessage(answer.signed)
    if (message === undefined) return 'malformed'
    if (message.cell !== cell) return 'other_cell'
    if (message.checker !== other.checker) return 'other_checker'
    if (message.nonce !== nonce) return 'other_nonce'
    if (message.boot === other.boot && message.sequence <= other.sequence) return 'old_sequence'
    const { votes, holds, boot, sequence } = message
    Object.assign(other, { ballot: { checker: other.checker, votes, holds }, askedAt, boot, sequence })
    return undefined
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, failed) => {
    signal.addEventListener(
      'abort',
      () => failed(signal.reason instanceof Error ? signal.reason : new Error('aborted')),
      {
        once: true,
      },
    )
  })
}
