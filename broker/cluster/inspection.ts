import { z } from 'zod'
import type { Timer } from '#platform/timers.ts'
import type { Broker } from '../broker.ts'
import type { TraceLine, TraceTarget } from '../trace.ts'
import type { Cell, CellPart } from './cell.ts'
import { type ClientListQuery, clientListQuery, listClients, type ListedClient } from './client-list.ts'
import { betterView, clientView } from './client-view.ts'
import { Entry, readJson, sendJson } from './entries.ts'
import type { Member } from './member.ts'
import { Questions } from './questions.ts'

/** A trace at another process ends by itself when it is not asked for again for this long. */
const LEASE_MS = 30_000
const RENEW_MS = 10_000
/** Lines of a trace in a second; more are counted. */
const LINES_PER_SECOND = 500
/** Subscriptions of one answer. */
const MOST_SUBSCRIPTIONS = 1000

const listed = z.object({ clients: z.array(z.object({ id: z.string(), view: clientView })) })
const subscription = z.object({ filter: z.string(), qos: z.int(), no_local: z.boolean() })
const subscribed = z.object({
  epoch: z.number(),
  count: z.int(),
  subscriptions: z.array(subscription),
})
export type SubscriptionsView = z.output<typeof subscribed>

const subscriptionsQuery = z.object({
  org: z.string(),
  client: z.string(),
  after: z.string().nullable(),
  limit: z.int(),
})
type SubscriptionsQuery = z.output<typeof subscriptionsQuery>

const target = z.object({ org: z.string(), client: z.string().nullable(), device: z.string().nullable() })
const asked = z.discriminatedUnion('verb', [
  clientListQuery.extend({ verb: z.literal('list'), id: z.int() }),
  subscriptionsQuery.extend({ verb: z.literal('subscriptions'), id: z.int() }),
  z.object({ verb: z.literal('trace'), id: z.int(), target, on: z.boolean() }),
])
const answer = z.object({ id: z.int(), answer: z.unknown() })
const line = z.object({
  at: z.number(),
  client: z.string(),
  direction: z.enum(['in', 'out', 'state']),
  summary: z.string(),
})
const traced = z.object({ id: z.int(), line: line.nullable(), missed: z.int() })

/** What a trace tells; `missed`: lines before this one that were too many. */
export interface TraceNews {
  readonly line: TraceLine | null
  readonly missed: number
}

/** Questions of operators about clients, which any process answers from all. */
export class Inspection implements CellPart {
  readonly #broker: Broker
  readonly #cell: Cell | null
  readonly #questions: Questions | null
  /** Traces that were begun here. */
  readonly #traces = new Map<number, (news: TraceNews) => void>()
  /** Traces of others, by process and number. */
  readonly #leases = new Map<string, { stop: () => void; timer: Timer; member: Member }>()
  #lastTrace = 0

  constructor(broker: Broker) {
    this.#broker = broker
    this.#cell = broker.cell
    this.#questions = this.#cell === null ? null : new Questions(this.#cell, Entry.INSPECT)
    this.#cell?.parts.push(this)
  }

  /** Clients of an organisation in order of their ids. Resolves within 2 s. RangeError: too many questions. */
  async list(query: ClientListQuery): Promise<{ clients: ListedClient[]; more: boolean; complete: boolean }> {
    const own = listClients(this.#broker, { ...query, limit: query.limit + 1 }, true)
    const asking = this.#questions?.ask({ verb: 'list', ...query, limit: query.limit + 1 })
    const { answers, complete } = (await asking) ?? { answers: [], complete: true }
    const best = new Map<string, ListedClient>()
    const all = [...(await own), ...answers.flatMap((one) => listed.parse(one).clients)]
    for (const one of all) {
      const known = best.get(one.id)
      const view = betterView(known?.view ?? null, one.view)
      if (view !== null) best.set(one.id, { id: one.id, view })
    }
    const clients = Array.from(best.values()).toSorted((a, b) => (a.id < b.id ? -1 : 1))
    return { clients: clients.slice(0, query.limit), more: clients.length > query.limit, complete }
  }

  /** Subscriptions of a client in order of their filters; null: nobody who answered knows it. RangeError as `list`. */
  async subscriptions(
    query: SubscriptionsQuery,
  ): Promise<{ found: SubscriptionsView | null; complete: boolean }> {
    const asking = this.#questions?.ask({ verb: 'subscriptions', ...query })
    const { answers, complete } = (await asking) ?? { answers: [], complete: true }
    let found = this.#subscriptions(query)
    for (const one of answers) {
      const parsed = subscribed.nullable().parse(one)
      if (parsed !== null && (found === null || parsed.epoch > found.epoch)) found = parsed
    }
    return { found, complete }
  }

  /**
   * Tells what a client, or all clients of a device, send and receive, wherever they are and connect next, until the
   * returned function is called. Throws RangeError: too many do that.
   */
  trace(who: TraceTarget, news: (news: TraceNews) => void): () => void {
    const stop = this.#follow(who, news)
    if (stop === null) throw new RangeError('too many clients are traced; end another trace first')
    const cell = this.#cell
    if (cell === null) return stop
    const id = ++this.#lastTrace
    this.#traces.set(id, news)
    const say = (on: boolean): void => {
      for (const { peer } of cell.members())
        if (peer.inContact) sendJson(peer, Entry.INSPECT, { verb: 'trace', id, target: who, on })
    }
    say(true)
    const timer = cell.timers.every(RENEW_MS, () => say(true))
    return () => {
      stop()
      timer.cancel()
      this.#traces.delete(id)
      say(false)
    }
  }

  // --- CellPart ---------------------------------------------------------------------------------------

  gone(member: Member): void {
    this.#questions?.gone(member)
    for (const [key, lease] of this.#leases) if (lease.member === member) this.#end(key)
  }

  entry(member: Member, type: number, body: Buffer): boolean {
    switch (type) {
      case Entry.INSPECT:
        this.#asked(member, asked.parse(readJson(body)))
        return true
      case Entry.INSPECTED: {
        const { id, answer: what } = answer.parse(readJson(body))
        this.#questions?.answered(member, id, what)
        return true
      }
      case Entry.TRACED: {
        const { id, ...news } = traced.parse(readJson(body))
        this.#traces.get(id)?.(news)
        return true
      }
      default:
        return false
    }
  }

  // --- inside -----------------------------------------------------------------------------------------

  #asked(member: Member, question: z.output<typeof asked>): void {
    const { id } = question
    switch (question.verb) {
      case 'list':
        void listClients(this.#broker, question, false).then((clients) =>
          sendJson(member.peer, Entry.INSPECTED, { id, answer: { clients } }),
        )
        return
      case 'subscriptions':
        sendJson(member.peer, Entry.INSPECTED, { id, answer: this.#subscriptions(question) })
        return
      default:
        this.#lease(member, id, question)
    }
  }

  #subscriptions({ org, client, after, limit }: SubscriptionsQuery): SubscriptionsView | null {
    const space = this.#broker.space(org)
    const here = space.sessions.get(client)
    const session = here !== undefined && !here.ended ? here : space.away.get(client)
    if (session === undefined) return null
    const all = Array.from(session.subscriptions()).filter(({ filter }) => after === null || filter > after)
    const first = all
      .toSorted((a, b) => (a.filter < b.filter ? -1 : 1))
      .slice(0, Math.min(limit, MOST_SUBSCRIPTIONS))
    return {
      epoch: session.epoch,
      count: session.subscriptionCount,
      subscriptions: first.map(({ filter, qos, noLocal }) => ({ filter, qos, no_local: noLocal })),
    }
  }

  /** Null: too many follow somebody. */
  #follow(who: TraceTarget, news: (news: TraceNews) => void): (() => void) | null {
    const { trace, timers } = this.#broker
    let left = LINES_PER_SECOND
    let missed = 0
    const stop = trace.follow(who, (what) => {
      if (left === 0) {
        missed++
        return
      }
      left--
      news({ line: what, missed })
      missed = 0
    })
    if (stop === null) return null
    const timer = timers.every(1000, () => {
      left = LINES_PER_SECOND
      if (missed === 0) return
      news({ line: null, missed })
      missed = 0
    })
    this.#broker.traceAnew()
    return () => {
      stop()
      timer.cancel()
      this.#broker.traceAnew()
    }
  }

  #lease(member: Member, id: number, { target: who, on }: { target: TraceTarget; on: boolean }): void {
    const key = `${member.id} ${id}`
    const known = this.#leases.get(key)
    if (!on) {
      this.#end(key)
      return
    }
    known?.timer.cancel()
    const stop =
      known?.stop ?? this.#follow(who, (news) => sendJson(member.peer, Entry.TRACED, { id, ...news }))
    if (stop === null) return
    const timer = this.#broker.timers.after(LEASE_MS, () => this.#end(key))
    this.#leases.set(key, { stop, timer, member })
  }

  #end(key: string): void {
    const lease = this.#leases.get(key)
    lease?.timer.cancel()
    lease?.stop()
    this.#leases.delete(key)
  }
}
