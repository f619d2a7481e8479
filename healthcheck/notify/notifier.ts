import { join } from 'node:path'
import { z } from 'zod'
import type { Clock } from '#platform/clock.ts'
import type { Logger } from '#platform/log.ts'
import { isRunning, type Plan } from '#platform/maintenance/plan.ts'
import type { Metrics } from '#platform/metrics.ts'
import type { Timer, Timers } from '#platform/timers.ts'
import { type Alert, type AlertName, catalogue } from '../alerts/alert.ts'
import { isPlanned } from '../status/incidents.ts'
import { readKept, writeWhole } from '../status/state-file.ts'
import type { Channel } from './channel.ts'
import { Courier } from './courier.ts'
import { type Mark, marksOf, maxMarks } from './marks.ts'
import type { Message } from './message.ts'

const names = Object.keys(catalogue) as [AlertName, ...AlertName[]]
const alert = z.object({
  name: z.enum(names),
  subject: z.string(),
  severity: z.enum(['critical', 'warning']),
  summary: z.string(),
  dc: z.string().exactOptional(),
  follows: z.boolean().exactOptional(),
  key: z.string(),
  since: z.number(),
})
/** What each receiver was told, by the name of its channel. */
const keptTold = z.record(
  z.string(),
  z.array(z.object({ alert, news: z.enum(['firing', 'resolved']), at: z.number() })),
)

const askTimeoutMs = 3000
const keepMs = 10_000
/** After a start nothing is over: what lasted before has to be seen again, for as long as the slowest alert takes. */
const settleMs = (Math.max(...Object.values(catalogue).map(({ holdSeconds }) => holdSeconds)) + 90) * 1000

export interface NotifierOptions {
  readonly checker: string
  readonly channels: readonly Channel[]
  readonly about: Pick<Message, 'cell' | 'runbooks' | 'url'>
  readonly repeatMs: number
  /** Names of the other checkers that are heard. */
  readonly live: () => readonly string[]
  /** The page of marks of another checker. */
  readonly read: (checker: string, signal: AbortSignal) => Promise<string>
  /** Directory for what must survive a restart. */
  readonly directory: string
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Logger
  readonly metrics: Metrics
}

/** Tells people of alerts by letters and webhooks, together with the other checkers (see Courier). */
export class Notifier {
  readonly #options: NotifierOptions
  readonly #couriers: readonly Courier[]
  readonly #timer: Timer
  readonly #startedAt: number
  #written = ''

  constructor(options: NotifierOptions) {
    this.#options = options
    const { channels, live, checker, metrics, timers, log } = options
    const before = readKept(this.#path, keptTold, log) ?? {}
    this.#startedAt = timers.monotonic()
    this.#couriers = channels.map(
      (channel) =>
        new Courier({
          ...options,
          channel,
          live: () => [checker, ...live()],
          ask: () => this.#ask(),
          before: before[channel.name] ?? [],
        }),
    )
    this.#timer = timers.every(keepMs, () => this.#keep())
    metrics.gauge(
      'cinque_notify_waiting',
      'News about alerts that are to be sent, by this checker or another one',
      () => this.#couriers.reduce((all, { waiting }) => all + waiting, 0),
    )
    metrics.gauge('cinque_notify_receivers', 'Receivers of messages about alerts', () => channels.length)
  }

  /** Called at each count of the votes, at least once a second or two. */
  look(alerts: readonly Alert[], plans: readonly Plan[]): void {
    const { clock, timers } = this.#options
    const at = clock.now()
    const wanted = alerts.filter((one) => !isSilenced(one, plans, at))
    const firing = new Set(alerts.map(({ key }) => key))
    const settling = timers.monotonic() - this.#startedAt < settleMs
    const blind = settling || alerts.some(({ name }) => name === 'CheckersBlind')
    for (const courier of this.#couriers) courier.look(wanted, firing, blind)
  }

  /** The page of marks, for the other checkers. */
  page(): string {
    return JSON.stringify(this.#couriers.flatMap((courier) => courier.marks()).slice(0, maxMarks))
  }

  close(): void {
    this.#timer.cancel()
    this.#keep()
  }

  get #path(): string {
    return join(this.#options.directory, 'notified.json')
  }

  async #ask(): Promise<Mark[]> {
    const { live, read, log } = this.#options
    const signal = AbortSignal.timeout(askTimeoutMs)
    const pages = await Promise.all(
      live().map(async (checker) => {
        try {
          return marksOf(await read(checker, signal))
        } catch (error) {
          log.debug(
            { event: 'notify.unasked', checker, err: error },
            'a checker did not say what it has sent',
          )
          return []
        }
      }),
    )
    return pages.flat()
  }

  #keep(): void {
    const told = this.#couriers.map((courier, i) => [this.#options.channels[i].name, courier.kept()])
    const text = JSON.stringify(Object.fromEntries(told))
    if (text === this.#written) return
    try {
      writeWhole(this.#path, text)
      this.#written = text
    } catch (error) {
      this.#options.log.error(
        { event: 'notify.unwritten', err: error },
        'what was sent about alerts can not be kept; after a restart some of it is sent again',
      )
    }
  }
}

/** Whether a silence is for it, or a maintenance window. */
function isSilenced(one: Alert, plans: readonly Plan[], at: number): boolean {
  const matches = ({ subjects, alerts }: Plan): boolean =>
    (alerts.length === 0 || alerts.includes(one.name)) &&
    (subjects.length === 0 ||
      subjects.includes(one.subject) ||
      (one.dc !== undefined && subjects.includes(one.dc)))
  return (
    plans.some((plan) => plan.kind === 'silence' && isRunning(plan, at) && matches(plan)) ||
    isPlanned(one, plans, at)
  )
}
