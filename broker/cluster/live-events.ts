import { z } from 'zod'
import { birthOf } from '#platform/cluster/incarnation.ts'
import type { LiveBus, LiveRelay } from '#platform/live/live-bus.ts'
import type { LiveEvent, Origin } from '#platform/live/live-event.ts'
import type { Replayed } from '#platform/live/replay.ts'
import type { Counter } from '#platform/metrics.ts'
import type { Cell, CellPart } from './cell.ts'
import { Entry, readJson, sendJson } from './entries.ts'
import { decodeEvent, encodeEvent } from './live-entry.ts'
import { LiveReplay } from './live-replay.ts'
import type { Member } from './member.ts'

/** Bytes of events that a process has not taken yet; twice that is dropped. What else goes to it must not wait for them. */
const WINDOW_BYTES = 1_048_576
/** Largest event; the largest payload makes one of about 320 KB. */
const MAX_EVENT_BYTES = 524_288
/** Organisations in one entry. */
const SLICE = 500
/** A process that was there for longer than this before it was met has taken events that were not sent here, ms. */
const MET_LATE_MS = 10_000
/** Bytes of an event beside its text, roughly. */
const OVERHEAD = 200

const listening = z.object({ orgs: z.array(z.string()), on: z.boolean() })
const lost = z.object({ org: z.string(), events: z.int() })
/** How much of what was sent to a process it has not taken. */
class Backlog {
  /** When the process has taken this entry, the bytes sent before it are taken. */
  mark = 0
  bytes = 0
  /** Events dropped and not told of yet, by organisation. */
  readonly dropped = new Map<string, number>()
}

/**
 * Live events on their way between processes: who listens to an organisation tells all, who takes an event sends it to
 * them. Events are no promise: what a process does not take in time is dropped and counted, and its listeners are told
 * that something is missing.
 */
export class LiveEvents implements LiveRelay, CellPart {
  readonly #cell: Cell
  readonly #live: LiveBus
  readonly #own = new Set<string>()
  readonly #wanted = new Map<string, Set<Member>>()
  readonly #backlogs = new Map<Member, Backlog>()
  readonly #replay: LiveReplay
  readonly #sent: Counter
  readonly #dropped: { lost: Counter; pressed: Counter; tooLarge: Counter }

  private constructor(cell: Cell, bus: LiveBus) {
    this.#cell = cell
    this.#live = bus
    this.#replay = new LiveReplay(cell, bus)
    const { metrics } = cell.broker
    this.#sent = metrics.counter('cinque_live_relayed_total', 'Live events sent to other processes')
    const dropped = (reason: string): Counter =>
      metrics.counter('cinque_live_dropped_total', 'Live events dropped, by reason', { reason })
    this.#dropped = {
      lost: dropped('process_out_of_contact'),
      pressed: dropped('process_slow'),
      tooLarge: dropped('too_large'),
    }
  }

  /** Joins the live events of this process with those of the cell. Before the broker is started. */
  static join(cell: Cell, bus: LiveBus): void {
    const events = new LiveEvents(cell, bus)
    bus.join(events)
    cell.parts.push(events)
  }

  // --- LiveRelay --------------------------------------------------------------------------------------

  wants(org: string): boolean {
    return this.#wanted.has(org)
  }

  send(event: LiveEvent, origin: Origin): void {
    const { org } = event
    const body = encodeEvent(event, origin)
    for (const member of this.#wanted.get(org) ?? []) {
      const backlog = this.#backlog(member)
      const refusal = this.#refusal(member, backlog, body.length)
      if (refusal !== null) {
        refusal.value++
        backlog.dropped.set(org, (backlog.dropped.get(org) ?? 0) + 1)
        continue
      }
      if (backlog.dropped.size > 0) tellDropped(member, backlog)
      member.peer.send(Entry.LIVE, body)
      backlog.bytes += body.length
      this.#sent.value++
    }
  }

  listening(org: string, on: boolean): void {
    if (on) this.#own.add(org)
    else this.#own.delete(org)
    this.#cell.tell(Entry.LISTENING, Buffer.from(JSON.stringify({ orgs: [org], on })))
  }

  whenKnown(then: () => void): void {
    this.#cell.channels.taken(then)
  }

  replay(org: string, since: number): Promise<Replayed> {
    return this.#replay.ask(org, since)
  }

  // --- CellPart ---------------------------------------------------------------------------------------

  opened(member: Member, again: boolean): void {
    this.#forget(member)
    const orgs = Array.from(this.#own)
    for (let i = 0; i < orgs.length; i += SLICE)
      sendJson(member.peer, Entry.LISTENING, { orgs: orgs.slice(i, i + SLICE), on: true })
    const age = this.#cell.broker.now - birthOf(Buffer.from(member.id, 'hex')) / 1024
    if (again || age > MET_LATE_MS) this.#live.lostSome()
  }

  gone(member: Member, how: 'goodbye' | 'replaced' | 'silent'): void {
    this.#forget(member)
    this.#replay.gone(member)
    // What it had taken and not sent any more.
    if (how !== 'goodbye') this.#live.lostSome()
  }

  second(): void {
    for (const [member, backlog] of this.#backlogs)
      if (backlog.dropped.size > 0 && this.#refusal(member, backlog, 0) === null) tellDropped(member, backlog)
  }

  entry(member: Member, type: number, body: Buffer): boolean {
    switch (type) {
      case Entry.LISTENING: {
        const { orgs, on } = listening.parse(readJson(body))
        for (const org of orgs) this.#want(member, org, on)
        return true
      }
      case Entry.LIVE: {
        const { event, origin } = decodeEvent(readJson(body))
        this.#live.receive(event, body.length + OVERHEAD, origin)
        return true
      }
      case Entry.LIVE_LOST:
        this.#live.lost(lost.parse(readJson(body)).org)
        return true
      default:
        return this.#replay.entry(member, type, body)
    }
  }

  // --- inside -----------------------------------------------------------------------------------------

  #want(member: Member, org: string, on: boolean): void {
    const members = this.#wanted.get(org)
    if (on) {
      if (members === undefined) this.#wanted.set(org, new Set([member]))
      else members.add(member)
      this.#live.wanted(org)
      return
    }
    if (members?.delete(member) === true) this.#live.wanted(org)
    if (members?.size === 0) this.#wanted.delete(org)
    this.#backlogs.get(member)?.dropped.delete(org)
  }

  #forget(member: Member): void {
    this.#backlogs.delete(member)
    for (const org of this.#wanted.keys()) this.#want(member, org, false)
  }

  #backlog(member: Member): Backlog {
    let backlog = this.#backlogs.get(member)
    if (backlog === undefined) this.#backlogs.set(member, (backlog = new Backlog()))
    return backlog
  }

  /** Why an event cannot go to that process now, as the counter of that; null: it can. */
  #refusal({ peer }: Member, backlog: Backlog, bytes: number): Counter | null {
    if (!peer.inContact) return this.#dropped.lost
    if (bytes > MAX_EVENT_BYTES) return this.#dropped.tooLarge
    if (peer.taken >= backlog.mark) {
      backlog.mark = peer.sent + 1
      backlog.bytes = 0
    }
    return peer.pressed || backlog.bytes > WINDOW_BYTES ? this.#dropped.pressed : null
  }
}

function tellDropped({ peer }: Member, { dropped }: Backlog): void {
  for (const [org, events] of dropped) sendJson(peer, Entry.LIVE_LOST, { org, events })
  dropped.clear()
}
