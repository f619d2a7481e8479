import { dcOf } from '#platform/cluster/incarnation.ts'
import type { inbox } from '#platform/store/tables.ts'
import type { RowOf } from '#platform/store/table.ts'
import type { Timer } from '#platform/timers.ts'
import type { DurableOutbox } from '../outbox/durable-outbox.ts'
import type { StoredState } from '../outbox/state.ts'
import { isStream } from '../outbox/stream-writer.ts'
import type { Session } from '../session.ts'
import type { FetchEntry, FetchedEntry, GatheredEntry, GatherEntry, StateEntry } from './answers.ts'
import type { Cell } from './cell.ts'
import { Entry, sendJson } from './entries.ts'
import type { Member } from './member.ts'
import { equalGroups, type Group, type Summary } from './summary.ts'

type Row = RowOf<typeof inbox>

/**
 * A process in contact that has not answered by then does not count; longer than two round trips round the world. A scrub
 * may be more patient.
 */
const ANSWER_MS = 2000
/** A process that was to read its DC's store and has not answered by then may be dead: another one of the DC is asked, too. */
const OTHER_READER_MS = 1000
/** Rows wanted by one question: fetching many takes longer. */
const FETCH_MS = 10_000

/** What one process answered. */
interface Asked {
  readonly member: Member
  /** Its stream and its DC's dead when it was asked: an answer counts only if nothing has ended since. */
  readonly opens: number
  readonly read: boolean
  /** Its answer to being asked without reading is still to come. */
  early: boolean
  end: GatheredEntry | null
}

/** One question under way: of the holder of a session to the processes of some DCs. */
class Question {
  readonly id: number
  readonly outbox: DurableOutbox
  /** Of the connection that it is for. */
  readonly epoch: number
  readonly rows: Row[] = []
  readonly asked = new Map<Member, Asked>()
  timer: Timer | null = null
  /** Asks other processes to read the stores of DCs whose reader was lost, or, if `late`, has not answered. */
  askOthers: (late: boolean) => void = () => undefined
  /** No answers are taken any more. */
  over = false
  fetching: Set<Member> | null = null
  /** Fetches that failed. */
  readonly failed = new Set<Member>()
  done: () => void = () => undefined

  constructor(id: number, outbox: DurableOutbox, epoch: number) {
    this.id = id
    this.outbox = outbox
    this.epoch = epoch
  }

  get open(): boolean {
    if (this.fetching !== null) return this.fetching.size > 0
    for (const { end } of this.asked.values()) if (end === null) return true
    return false
  }
}

/** Asks all processes what they have for a session, and brings the own DC's store up to that (docs/cluster.md, section 5). */
export class Gathering {
  readonly #cell: Cell
  readonly #questions = new Map<number, Question>()
  #id = 0

  constructor(cell: Cell) {
    this.#cell = cell
  }

  /** Questions under way. */
  get size(): number {
    return this.#questions.size
  }

  /**
   * A session has got a connection here: what all DCs in contact have of it is in the own store, and its state is loaded,
   * when this resolves. Rejects with StoreError when the own store cannot be read.
   */
  attach(session: Session, outbox: DurableOutbox): Promise<void> {
    const { epoch } = session
    // A patient scrub for the connection before would keep those for this one waiting.
    for (const question of this.#questions.values())
      if (question.outbox === outbox && question.epoch !== epoch) question.done()
    const attached = outbox.attaching.then(() =>
      session.epoch === epoch && !session.ended ? this.#attach(session, outbox) : undefined,
    )
    outbox.attaching = attached.catch(() => undefined)
    return attached
  }

  async #attach(session: Session, outbox: DurableOutbox): Promise<void> {
    const { knowledge } = outbox
    if (knowledge === null) return
    knowledge.forget()
    const { epoch } = session
    const states = outbox.loaded ? [] : await outbox.ownStates()
    const stamp = this.#cell.broker.hlc.next()
    const answers = await this.#gather(session, outbox, this.#cell.dcs, 1)
    if (session.epoch !== epoch || session.ended) return
    const all = this.#cell.dcs.every((dc) => answers.readDcs.has(dc))
    if (!outbox.loaded) await outbox.adopt([...states, ...answers.states], all || isCertain(outbox, answers))
    else outbox.learn(answers.states)
    // The client may have been where nobody can be asked.
    if (!all) outbox.doubt()
    outbox.gathered = stamp
    this.#conclude(outbox, answers)
  }

  /**
   * What is not known of some DCs' rows is asked for again. `patience`: how many times longer than at an attach answers are
   * waited for. Resolves with whether all came in that time.
   */
  async scrub(session: Session, outbox: DurableOutbox, patience: number): Promise<boolean> {
    const { knowledge } = outbox
    if (knowledge === null || !outbox.loaded) return true
    const dcs = new Set(knowledge.unreadDcs())
    for (const { peer } of knowledge.waiting) dcs.add(peer.dcNumber)
    const { epoch } = session
    const answers = await this.#gather(session, outbox, dcs, patience)
    if (session.epoch !== epoch || session.ended || !outbox.loaded) return true
    outbox.learn(answers.states)
    this.#conclude(outbox, answers)
    return !answers.late
  }

  /** COPY. */
  copy(id: number, row: Row): void {
    this.#questions.get(id)?.rows.push(row)
  }

  /** GATHERED. */
  gathered(member: Member, end: GatheredEntry): void {
    const question = this.#questions.get(end.id)
    const asked = question?.asked.get(member)
    if (question === undefined || question.over || asked === undefined) return
    if (asked.early) {
      asked.early = false
      return
    }
    asked.end = end
    if (!question.open) question.done()
  }

  /** FETCHED. */
  fetched(member: Member, end: FetchedEntry): void {
    const question = this.#questions.get(end.id)
    if (question?.fetching?.delete(member) !== true) return
    if (end.failed === true) question.failed.add(member)
    if (!question.open) question.done()
  }

  /** A process will not answer any more. */
  lost(member: Member): void {
    for (const question of this.#questions.values()) {
      if (question.fetching?.delete(member) === true) question.failed.add(member)
      const asked = question.asked.get(member)
      if (asked?.end === null && question.asked.delete(member) && asked.read) question.askOthers(false)
      if (!question.open) question.done()
    }
  }

  async #gather(
    session: Session,
    outbox: DurableOutbox,
    dcs: Iterable<number>,
    patience: number,
  ): Promise<Gathered> {
    const question = new Question((this.#id = (this.#id + 1) % 4_294_967_296), outbox, session.epoch)
    this.#questions.set(question.id, question)
    try {
      return await this.#ask(question, session, outbox, { dcs: new Set(dcs), patience })
    } finally {
      question.timer?.cancel()
      this.#questions.delete(question.id)
    }
  }

  async #ask(
    question: Question,
    session: Session,
    outbox: DurableOutbox,
    { dcs, patience }: { readonly dcs: ReadonlySet<number>; readonly patience: number },
  ): Promise<Gathered> {
    const cell = this.#cell
    const { epoch } = session
    const deaths = new Map(Array.from(dcs, (dc) => [dc, cell.membership.deathsIn(dc)]))
    const floors = floorsOf(outbox)
    const { org } = session.space
    const sid = Buffer.from(session.sid).toString('hex')
    const stamp = cell.broker.hlc.next()
    const ask = (member: Member, read: boolean): void => {
      const early = question.asked.get(member)?.end === null
      question.asked.set(member, { member, opens: member.opens, read, early, end: null })
      const entry: GatherEntry = { id: question.id, org, sid, epoch, read, floors, stamp }
      sendJson(member.peer, Entry.GATHER, entry)
    }
    const readers = new Set<number>([cell.dc])
    for (const member of cell.members()) {
      const { peer } = member
      if (!dcs.has(peer.dcNumber) || !peer.inContact) continue
      ask(member, !readers.has(peer.dcNumber))
      readers.add(peer.dcNumber)
    }
    question.askOthers = (late) => {
      const read = new Set<number>([cell.dc])
      for (const { member, read: reads, end } of question.asked.values())
        if (reads && (end !== null || !late)) read.add(member.peer.dcNumber)
      for (const member of cell.members()) {
        const { peer } = member
        if (!dcs.has(peer.dcNumber) || read.has(peer.dcNumber) || !peer.inContact) continue
        if (question.asked.get(member)?.read === true) continue
        read.add(peer.dcNumber)
        ask(member, true)
      }
    }
    const other = cell.timers.after(OTHER_READER_MS * patience, () => question.askOthers(true))
    await this.#wait(question, ANSWER_MS * patience)
    other.cancel()
    question.askOthers = () => undefined
    // Whose answer ends later has not answered: not all of its rows are among those that are taken.
    question.over = true
    // The own DC's store is read after the other processes of this DC have said what is on its way there.
    const isOver = (): boolean => session.epoch !== epoch || session.ended
    const own = await cell.answers.readStore(org, session.sid, floors, isOver)
    if (own === null || isOver()) return nothing
    const rows = new Map<string, Row>()
    for (const row of question.rows) rows.set(rowKey(row), row)
    await this.#fetch(question, session, own.summary, FETCH_MS * patience)
    this.#questions.delete(question.id)
    for (const row of question.rows) rows.set(rowKey(row), row)
    return this.#take(question, outbox, own, rows, deaths)
  }

  /** Asks for the rows of the groups that the own store does not have. */
  async #fetch(question: Question, session: Session, own: Summary, ms: number): Promise<void> {
    const fetching = new Set<Member>()
    for (const { member, end } of question.asked.values()) {
      if (end === null || end.whole) continue
      const groups = end.groups.filter((group) => !equalGroups(own.groups.get(groupKey(group)), group))
      if (groups.length === 0) continue
      fetching.add(member)
      const entry: FetchEntry = {
        id: question.id,
        org: session.space.org,
        sid: Buffer.from(session.sid).toString('hex'),
        groups: groups.map(({ writer, day }) => [writer, day, 0] as const),
      }
      sendJson(member.peer, Entry.FETCH, entry)
    }
    if (fetching.size === 0) return
    question.fetching = fetching
    await this.#wait(question, ms)
  }

  #wait(question: Question, ms: number): Promise<void> {
    if (!question.open) return Promise.resolve()
    return new Promise((resolve) => {
      question.done = resolve
      question.timer?.cancel()
      question.timer = this.#cell.timers.after(ms, resolve)
    })
  }

  /** Writes the rows that came into the own store; what was learned counts when they are durable. */
  async #take(
    question: Question,
    outbox: DurableOutbox,
    own: { states: StoredState[]; summary: Summary },
    rows: ReadonlyMap<string, Row>,
    deaths: ReadonlyMap<number, number>,
  ): Promise<Gathered> {
    const newest = new Map<string, number>()
    const raise = (writer: string, seq: number): void => {
      if (seq > (newest.get(writer) ?? 0)) newest.set(writer, seq)
    }
    // Of a process that lives, rows beyond its answer are on their way here; one of them may be in a store before those in front of it.
    for (const { writer, max } of own.summary.groups.values()) if (this.#isOver(writer)) raise(writer, max)
    const have = new Set(own.summary.rows?.map(rowKey))
    for (const row of rows.values()) if (!have.has(rowKey(row))) outbox.takeCopy(row)
    for (const { end } of question.asked.values())
      for (const { writer, max } of end?.groups ?? []) if (this.#isOver(writer)) raise(writer, max)
    await outbox.session.space.commit.durable()
    const answered = new Set<Member>()
    const readDcs = new Set<number>([this.#cell.dc])
    const states: StoredState[] = [...own.states]
    let live = 0
    let late = (question.fetching?.size ?? 0) > 0
    for (const { member, opens, read, end } of question.asked.values()) {
      if (end === null) {
        late = true
        continue
      }
      states.push(...end.states.map(storedState))
      if (end.live !== undefined) {
        states.push(storedState(end.live))
        live = Math.max(live, end.live.epoch)
      }
      if (member.opens !== opens || question.failed.has(member) || question.fetching?.has(member) === true)
        continue
      answered.add(member)
      raise(member.id, end.upTo)
      if (read && end.failed !== true) readDcs.add(member.peer.dcNumber)
    }
    const quiet = new Set<number>()
    for (const [dc, n] of deaths) if (this.#cell.membership.deathsIn(dc) === n) quiet.add(dc)
    return { answered, readDcs, quiet, newest, states, live, late }
  }

  /** Whether nothing more can come of this writer by a stream: a process that has ended, or a publisher's stream. */
  #isOver(writer: string): boolean {
    return this.#cell.member(writer) === undefined && writer !== this.#cell.id
  }

  /** In one step: what is known now, and that its rows may be read. */
  #conclude(outbox: DurableOutbox, { answered, readDcs, quiet, newest }: Gathered): void {
    const { knowledge } = outbox
    if (knowledge === null) return
    for (const member of answered) if (readDcs.has(member.peer.dcNumber)) knowledge.waiting.delete(member)
    for (const dc of readDcs) knowledge.read(dc, quiet.has(dc))
    knowledge.prune()
    for (const [writer, seq] of newest) {
      const bytes = Buffer.from(writer, 'hex')
      const member = this.#cell.member(writer)
      const seen = member !== undefined ? answered.has(member) : isStream(bytes) || readDcs.has(dcOf(bytes))
      if (seen && knowledge.modeOf(bytes) === 'ordered') outbox.allow(bytes, seq)
    }
    outbox.concluded()
    if (!knowledge.complete) this.#cell.scrubber.incomplete.add(outbox)
    outbox.readAgain()
  }
}

interface Gathered {
  readonly answered: ReadonlySet<Member>
  /** DCs whose store was read. */
  readonly readDcs: ReadonlySet<number>
  /** DCs in which no process has died meanwhile. */
  readonly quiet: ReadonlySet<number>
  /** Newest row of each writer that is in the own store now. */
  readonly newest: ReadonlyMap<string, number>
  readonly states: readonly StoredState[]
  /** The newest epoch whose holder itself has told its state; 0: none. */
  readonly live: number
  /** Not all that were asked answered in time. */
  readonly late: boolean
}

/** Of a question that nobody waits for any more. */
const nothing: Gathered = {
  answered: new Set(),
  readDcs: new Set(),
  quiet: new Set(),
  newest: new Map(),
  states: [],
  live: 0,
  late: false,
}

/**
 * Whether the state of the last holder is among what was found: itself, because one that never loaded the session has left no
 * trace, and those before it may have been anywhere.
 */
function isCertain({ lastHolder }: DurableOutbox, { readDcs, states, live }: Gathered): boolean {
  if (lastHolder === null || live === lastHolder.epoch) return true
  return readDcs.has(lastHolder.dc) && states.some(({ epoch }) => epoch === lastHolder.epoch)
}

function floorsOf(outbox: DurableOutbox): [string, number][] {
  return Array.from(outbox.floors(), ({ writer, floor }) => [Buffer.from(writer).toString('hex'), floor])
}

function storedState({ epoch, version, body }: StateEntry): StoredState {
  return { epoch, version, body: Buffer.from(body, 'base64') }
}

function rowKey({ writer, seq }: { writer: Uint8Array; seq: number }): string {
  return `${Buffer.from(writer).toString('hex')} ${seq}`
}

function groupKey({ writer, day }: Group): string {
  return `${writer} ${day}`
}
