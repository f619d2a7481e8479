import { inbox } from '#platform/store/tables.ts'
import { InboxReader } from '../outbox/inbox-reader.ts'
import { decodeState, mergeStates, readStates, sortStates, type StoredState } from '../outbox/state.ts'
import type { Cell } from './cell.ts'
import { Entry, readJson, sendJson } from './entries.ts'
import type { Member } from './member.ts'
import { sidKey } from './ring.ts'
import { encodeRow } from './rows.ts'
import { type Group, summarize, type Summary } from './summary.ts'

/** States of sessions that were taken over, kept for the new holder's question. */
const RELEASED_MS = 10_000

/** A question: what do you have for this session? */
export interface GatherEntry {
  readonly id: number
  readonly org: string
  readonly sid: string
  /** Of the session as the asker has it. Absent: its release does not tell. */
  readonly epoch?: number
  /** The asker's DC reads its own store; of each other DC one process is asked to. */
  readonly read: boolean
  /** Writer in hex and floor. */
  readonly floors: readonly (readonly [string, number])[]
  /** The asker's clock: what is written after the answer has a greater stamp. */
  readonly stamp: number
}

export interface StateEntry {
  readonly epoch: number
  readonly version: number
  /** Base64. */
  readonly body: string
}

/** The end of an answer; the rows came before it. */
export interface GatheredEntry {
  readonly id: number
  /** Number of the newest row that the process had written, to whatever inbox: later ones are sent as they are written. */
  readonly upTo: number
  /** What the store was to be asked and could not be. */
  readonly failed?: true
  /** Because somebody asked later; nothing is wrong with the store. */
  readonly over?: true
  /** State of the holder that has just let go of the session. */
  readonly live?: StateEntry
  readonly states: readonly StateEntry[]
  readonly groups: readonly Group[]
  /** All rows of the groups came with the answer. */
  readonly whole: boolean
}

export interface FetchEntry {
  readonly id: number
  readonly org: string
  readonly sid: string
  /** Writer in hex, day, and the seq after which rows are wanted. */
  readonly groups: readonly (readonly [string, number, number])[]
}

/** The end of the rows that were asked for. */
export interface FetchedEntry {
  readonly id: number
  readonly failed?: true
}

/** Answers what the holders of sessions ask (docs/cluster.md, section 5). */
export class Answers {
  readonly #cell: Cell
  readonly #released = new Map<string, { state: StoredState; at: number }>()
  /**
   * Sessions whose rows are being read for their holder. Its next question ends the reading, as that of a later holder
   * does: who asked before has given up or has lost the session, and a large inbox takes longer to read than questions
   * take to be asked again. An earlier holder has to wait.
   */
  readonly #readings = new Map<string, { readonly epoch: number; over: boolean }>()
  /** Rows being sent to a member of a session, and the question they are for: its next one ends that. */
  readonly #sending = new Map<string, number>()

  constructor(cell: Cell) {
    this.#cell = cell
  }

  /** A session was let go of; the new holder will ask for its state. */
  released(sid: Uint8Array, state: StoredState): void {
    this.#released.set(sidKey(sid), { state, at: this.#cell.timers.monotonic() })
  }

  sweep(): void {
    const oldest = this.#cell.timers.monotonic() - RELEASED_MS
    for (const [key, { at }] of this.#released) if (at < oldest) this.#released.delete(key)
  }

  /** GATHER. */
  gather(member: Member, body: Buffer): void {
    const question = readJson(body) as GatherEntry
    this.#cell.seen(question.stamp)
    const sid = Buffer.from(question.sid, 'hex')
    const key = sidKey(sid)
    const live = this.#released.get(key)?.state
    const upTo = this.#cell.broker.appended
    const end = { id: question.id, upTo, ...(live === undefined ? {} : { live: stateEntry(live) }) }
    for (const row of this.#cell.ring.rowsOf(key)) this.#copy(member, question.id, row)
    const reading = { epoch: question.epoch ?? 0, over: false }
    const other = this.#readings.get(key)
    const isLate = other !== undefined && other.epoch > reading.epoch
    if (other !== undefined && !isLate) other.over = true
    if (!question.read) {
      sendJson(member.peer, Entry.GATHERED, { ...end, states: [], groups: [], whole: true })
      return
    }
    const unread = { ...end, failed: true, states: [], groups: [], whole: true } as const
    if (isLate) {
      sendJson(member.peer, Entry.GATHERED, { ...unread, over: true })
      return
    }
    this.#readings.set(key, reading)
    this.readStore(question.org, sid, question.floors, () => reading.over)
      .finally(() => {
        if (this.#readings.get(key) === reading) this.#readings.delete(key)
      })
      .then(
        (found) => {
          if (found === null) {
            sendJson(member.peer, Entry.GATHERED, { ...unread, over: true })
            return
          }
          const { states, summary } = found
          for (const row of summary.rows ?? []) this.#copy(member, question.id, row)
          const groups = Array.from(summary.groups.values())
          const whole = summary.rows !== null
          sendJson(member.peer, Entry.GATHERED, { ...end, states: states.map(stateEntry), groups, whole })
        },
        (error: unknown) => {
          this.#cell.unreadable(error)
          sendJson(member.peer, Entry.GATHERED, unread)
        },
      )
  }

  /** What this DC's store has of a session; null: it was `isOver` before the end. Rejects with StoreError. */
  async readStore(
    org: string,
    sid: Uint8Array,
    floors: readonly (readonly [string, number])[],
    isOver: () => boolean,
  ): Promise<{ states: StoredState[]; summary: Summary } | null> {
    const { store, day } = this.#cell.broker
    const states = await readStates(store, org, sid)
    const known = new Map(floors)
    for (const { writer, floor } of mergeStates(sortStates(states).map(({ body }) => decodeState(body)))
      .writers) {
      const name = Buffer.from(writer).toString('hex')
      known.set(name, Math.max(known.get(name) ?? 0, floor))
    }
    const above = Array.from(known, ([writer, floor]) => ({ writer: Buffer.from(writer, 'hex'), floor }))
    const summary = await summarize(store, { org, sid, floors: above }, day, isOver)
    return summary === null ? null : { states, summary }
  }

  /** FETCH. */
  fetch(member: Member, body: Buffer): void {
    const question = readJson(body) as FetchEntry
    const { id } = question
    const key = `${member.id} ${question.sid}`
    this.#sending.set(key, id)
    const isOver = (): boolean => this.#sending.get(key) !== id
    this.#sendRows(member, question, isOver)
      .finally(() => {
        if (!isOver()) this.#sending.delete(key)
      })
      .then(
        (whole) => sendJson(member.peer, Entry.FETCHED, whole ? { id } : { id, failed: true }),
        (error: unknown) => {
          this.#cell.unreadable(error)
          sendJson(member.peer, Entry.FETCHED, { id, failed: true })
        },
      )
  }

  /** False: it was `isOver` before all were sent. */
  async #sendRows(
    member: Member,
    { id, org, sid, groups }: FetchEntry,
    isOver: () => boolean,
  ): Promise<boolean> {
    const reader = new InboxReader(this.#cell.broker.store, {
      org,
      session: { sid: Buffer.from(sid, 'hex') },
    })
    for (const [writer, day, after] of groups) {
      for await (const rows of reader.rowsOf(Buffer.from(writer, 'hex'), day, after)) {
        if (isOver()) return false
        for (const row of rows) this.#copy(member, id, row)
        await member.room()
      }
    }
    return true
  }

  #copy(member: Member, id: number, row: Parameters<typeof encodeRow<typeof inbox>>[1]): void {
    const bytes = encodeRow(inbox, row, 4)
    bytes.writeUInt32BE(id, 0)
    member.peer.send(Entry.COPY, bytes)
  }
}

function stateEntry({ epoch, version, body }: StoredState): StateEntry {
  return { epoch, version, body: Buffer.from(body).toString('base64') }
}
