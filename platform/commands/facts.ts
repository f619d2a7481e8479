/** How a device, or a person, ended a command. */
export type Ending = 'succeeded' | 'failed' | 'rejected' | 'cancelled'

export const commandStates = [
  'queued',
  'sent',
  'delivered',
  'running',
  'succeeded',
  'failed',
  'rejected',
  'timed_out',
  'expired',
  'cancelled',
] as const
export type CommandState = (typeof commandStates)[number]

/**
 * What is known of a command beside what was asked. Every process has a record of its own, and only adds to it; what is
 * true is the join of all. So a datacenter that is alone goes on, and all agree when they have each other's records. Times
 * are milliseconds since 1970.
 */
export interface Facts {
  /** How often it was given out to be sent; 0: not yet. */
  readonly attempt: number
  /** When this attempt was first written to a connection of the device. */
  readonly sentAt: number | undefined
  /** When the device acknowledged this attempt (PUBACK). */
  readonly deliveredAt: number | undefined
  /** When it acknowledged any. */
  readonly firstDeliveredAt: number | undefined
  /** The device's newest word that it is at it, and what it said. */
  readonly running: Progress | undefined
  /** The first end. */
  readonly end: End | undefined
}

interface Progress {
  readonly at: number
  /** 0 to 100. */
  readonly progress: number | undefined
  readonly message: string | undefined
}

interface End {
  readonly at: number
  readonly ending: Ending
  /** The record that says so, as text: its result is the one. */
  readonly record: string
}

export const noFacts: Facts = {
  attempt: 0,
  sentAt: undefined,
  deliveredAt: undefined,
  firstDeliveredAt: undefined,
  running: undefined,
  end: undefined,
}

/** All that either knows. Order and repetition do not matter: commutative, associative, idempotent. */
export function join(a: Facts, b: Facts): Facts {
  const firstDeliveredAt = earlier(a.firstDeliveredAt, b.firstDeliveredAt)
  const running = newest(a.running, b.running)
  const end = first(a.end, b.end)
  if (a.attempt !== b.attempt) {
    const { attempt, sentAt, deliveredAt } = a.attempt > b.attempt ? a : b
    return { attempt, sentAt, deliveredAt, firstDeliveredAt, running, end }
  }
  return {
    attempt: a.attempt,
    sentAt: earlier(a.sentAt, b.sentAt),
    deliveredAt: earlier(a.deliveredAt, b.deliveredAt),
    firstDeliveredAt,
    running,
    end,
  }
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return Math.min(a, b)
}

function newest(a: Progress | undefined, b: Progress | undefined): Progress | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return compare(orderOf(a), orderOf(b)) > 0 ? a : b
}

function orderOf({ at, progress, message }: Progress): (number | string)[] {
  return [at, progress ?? -1, message === undefined ? 0 : 1, message ?? '']
}

function first(a: End | undefined, b: End | undefined): End | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return compare([a.at, a.ending, a.record], [b.at, b.ending, b.record]) < 0 ? a : b
}

function compare(a: readonly (number | string)[], b: readonly (number | string)[]): number {
  const at = a.findIndex((value, i) => value !== b[i])
  return at < 0 ? 0 : a[at] < b[at] ? -1 : 1
}

/** What of the request decides on time. */
export interface Terms {
  /** Until then it may be delivered. */
  readonly expiresAt: number
  /** Milliseconds from delivery, or from the last progress, to the answer. */
  readonly timeout: number
  /** How often it is sent again when that has passed. */
  readonly retries: number
  /** Nobody waits for an answer: delivered is all. */
  readonly oneWay: boolean
}

export interface Outcome {
  readonly state: CommandState
  /** When it ended; undefined: it has not. */
  readonly endedAt: number | undefined
  /** When time alone will change something: its end, or another attempt; undefined: never. */
  readonly nextAt: number | undefined
  /** The time-out of this attempt has passed, and there is another one. */
  readonly again: boolean
}

/**
 * The state at a time, of nothing but what is stored: no process has to be there for a command to time out. What comes first ends
 * it: the device's answer, a cancellation, or the time until which it had to be delivered or answered.
 */
export function evaluate(terms: Terms, facts: Facts, now: number): Outcome {
  const over = overAt(terms, facts)
  const { end } = facts
  if (end !== undefined && end.at <= over.at) return ended(end.ending, end.at)
  if (over.at <= now) return ended(over.state, over.at)
  const retryAt = over.retryAt
  const again = retryAt !== undefined && retryAt <= now
  return {
    state: openState(facts),
    endedAt: undefined,
    nextAt: again || retryAt === undefined ? over.at : retryAt,
    again,
  }
}

function ended(state: CommandState, at: number): Outcome {
  return { state, endedAt: at, nextAt: undefined, again: false }
}

function openState(facts: Facts): CommandState {
  if (facts.running !== undefined) return 'running'
  if (facts.firstDeliveredAt !== undefined) return 'delivered'
  return facts.attempt > 0 && facts.sentAt !== undefined ? 'sent' : 'queued'
}

/** When it is over if nothing more is heard, and as what; `retryAt`: when it is to be sent again before that. */
function overAt(
  { expiresAt, timeout, retries, oneWay }: Terms,
  facts: Facts,
): { at: number; state: CommandState; retryAt?: number } {
  const { attempt, sentAt, deliveredAt, firstDeliveredAt } = facts
  // Who gets it at the last moment has the whole time to say so.
  const reachedBy = sentAt === undefined ? expiresAt : Math.max(expiresAt, sentAt + timeout)
  const runningAt = facts.running?.at ?? Number.POSITIVE_INFINITY
  const reachedAt = Math.min(firstDeliveredAt ?? Number.POSITIVE_INFINITY, runningAt)
  if (reachedAt > reachedBy) return { at: reachedBy, state: 'expired' }
  if (oneWay && firstDeliveredAt !== undefined) return { at: firstDeliveredAt, state: 'succeeded' }
  // Progress of an attempt before says nothing of this one.
  const ofThis = attempt <= 1 || runningAt >= (sentAt ?? Number.POSITIVE_INFINITY)
  const heard = Math.max(deliveredAt ?? -1, ofThis && runningAt !== Number.POSITIVE_INFINITY ? runningAt : -1)
  if (heard < 0) return { at: Math.max(reachedBy, reachedAt + timeout), state: 'timed_out' }
  const deadline = heard + timeout
  if (attempt > retries || deadline >= expiresAt) return { at: deadline, state: 'timed_out' }
  return { at: expiresAt, state: 'timed_out', retryAt: deadline }
}
