import { z } from 'zod'
import type { LiveBus } from '#platform/live/live-bus.ts'
import type { Replayed } from '#platform/live/replay.ts'
import type { Cell } from './cell.ts'
import { Entry, readJson, sendJson } from './entries.ts'
import { decodeEvent, encodeEvent } from './live-entry.ts'
import type { Member } from './member.ts'

/** Processes in contact have this long to answer. */
const ANSWER_MS = 2000
/** Events of one answer, and their bytes; older ones are missing then. */
const MOST_EVENTS = 5000
const MOST_BYTES = 1_048_576
/** Bytes of an event beside its text, roughly. */
const OVERHEAD = 200
/** Questions under way at a time; more are answered with nothing, as incomplete. */
const QUESTIONS = 100

const asked = z.object({ id: z.int(), org: z.string(), since: z.number() })
const answered = z.object({ id: z.int(), ring: z.string().nullable(), forgotten: z.number() })

interface Question {
  readonly org: string
  readonly since: number
  readonly waiting: Set<Member>
  readonly events: Replayed['events'][number][]
  readonly rings: { id: string; forgottenAt: number }[]
  complete: boolean
  readonly done: () => void
}

/** What the processes of a cell keep of live events, for streams that go on at another process than they began at. */
export class LiveReplay {
  readonly #cell: Cell
  readonly #live: LiveBus
  readonly #questions = new Map<number, Question>()
  /** When a process has ended last with what it had not told, milliseconds since 1970. */
  #diedAt = 0
  #lastId = 0

  constructor(cell: Cell, live: LiveBus) {
    this.#cell = cell
    this.#live = live
  }

  /** Asks all in contact. Resolves within 2 s. */
  ask(org: string, since: number): Promise<Replayed> {
    const cell = this.#cell
    if (this.#questions.size >= QUESTIONS) return Promise.resolve({ events: [], rings: [], complete: false })
    const id = ++this.#lastId
    const waiting = new Set<Member>()
    let complete = this.#diedAt < since
    for (const member of cell.members()) {
      if (member.peer.inContact) waiting.add(member)
      else complete = false
    }
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel()
        this.#questions.delete(id)
        const { events, rings } = question
        resolve({ events, rings, complete: question.complete && waiting.size === 0 })
      }
      const timer = cell.timers.after(ANSWER_MS, done)
      const question: Question = { org, since, waiting, events: [], rings: [], complete, done }
      if (waiting.size === 0) return done()
      this.#questions.set(id, question)
      for (const { peer } of waiting) sendJson(peer, Entry.LIVE_ASKED, { id, org, since })
    })
  }

  gone(member: Member): void {
    this.#diedAt = this.#cell.broker.now
    for (const question of this.#questions.values()) {
      if (!question.waiting.delete(member)) continue
      question.complete = false
      if (question.waiting.size === 0) question.done()
    }
  }

  entry(member: Member, type: number, body: Buffer): boolean {
    switch (type) {
      case Entry.LIVE_ASKED:
        this.#answer(member, asked.parse(readJson(body)))
        return true
      case Entry.LIVE_AGAIN: {
        const question = this.#questions.get(body.readUInt32BE(0))
        if (question === undefined || !question.waiting.has(member)) return true
        const { event, origin } = decodeEvent(readJson(body.subarray(4)))
        if (event.org === question.org) question.events.push({ event, origin, bytes: body.length + OVERHEAD })
        return true
      }
      case Entry.LIVE_ANSWERED: {
        const { id, ring, forgotten } = answered.parse(readJson(body))
        const question = this.#questions.get(id)
        if (question === undefined || !question.waiting.delete(member)) return true
        // Without a ring nobody knows what it took.
        if (ring === null) question.complete = false
        else question.rings.push({ id: ring, forgottenAt: forgotten })
        if (question.waiting.size === 0) question.done()
        return true
      }
      default:
        return false
    }
  }

  #answer({ peer }: Member, { id, org, since }: z.output<typeof asked>): void {
    const taken = this.#live.taken(org, since)
    if (taken === null) {
      sendJson(peer, Entry.LIVE_ANSWERED, { id, ring: null, forgotten: 0 })
      return
    }
    let bytes = 0
    let { forgottenAt: forgotten } = taken
    const bodies: Buffer[] = []
    for (const { event, origin } of taken.events.toReversed()) {
      const text = encodeEvent(event, origin)
      bytes += text.length
      if (bodies.length === MOST_EVENTS || bytes > MOST_BYTES) {
        forgotten = Math.max(forgotten, event.at)
        break
      }
      const number = Buffer.alloc(4)
      number.writeUInt32BE(id, 0)
      bodies.push(Buffer.concat([number, text]))
    }
    for (const body of bodies.toReversed()) peer.send(Entry.LIVE_AGAIN, body)
    sendJson(peer, Entry.LIVE_ANSWERED, { id, ring: taken.ring, forgotten })
  }
}
