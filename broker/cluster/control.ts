import { z } from 'zod'
import type { DeviceRef } from '#platform/auth/principal.ts'
import { birthOf } from '#platform/cluster/incarnation.ts'
import type { Counter } from '#platform/metrics.ts'
import type { Platform } from '#platform/platform.ts'
import { durabilities } from '#platform/registry/organisations.ts'
import type { KeyGone } from '#platform/registry/revocations.ts'
import type { Broker } from '../broker.ts'
import type { Cell, CellPart, ControlEntry } from './cell.ts'
import { betterView, type ClientView, clientView, viewClient } from './client-view.ts'
import { Entry, sendJson } from './entries.ts'
import { Inspection } from './inspection.ts'
import type { Member } from './member.ts'
import { Recheck } from './recheck.ts'
import { topicTaps } from '../topic-tap.ts'

/** Processes in contact have this long to answer a question. */
const ANSWER_MS = 2000
/** A process that was there for longer than this before it was met has said things that were not heard here, ms. */
const MET_LATE_MS = 10_000
/** Questions under way at a time; more are refused. */
const QUESTIONS = 1000

const ref = { org: z.string(), device: z.string(), name: z.string() }
const asked = { id: z.int(), from: z.string(), org: z.string(), client: z.string() }

/** What processes say to each other here. Fields that a newer version adds are ignored, and so are its verbs. */
const verbs = {
  /** This key of the device is good no more. */
  key_gone: z.object({ ...ref, hash: z.hex().optional(), disabled_at: z.int().optional() }),
  device_gone: z.object({ ...ref, hash: z.hex().optional(), deleted_at: z.int() }),
  organisation_changed: z.object({ org: z.string(), version: z.int(), durability: z.enum(durabilities) }),
  /** Of a person, a session or an API key: what was read of it is old. */
  identity_changed: z.object({
    user: z.string().optional(),
    session: z.string().optional(),
    key: z.hex().optional(),
  }),
  /** What do you know of this client? */
  who: z.object(asked),
  /** Disconnect this client. */
  kick: z.object(asked),
  /** To one process: the answer to its question. */
  answer: z.object({ id: z.int(), view: clientView.nullish(), kicked: z.int().optional() }),
} as const
type Answer = z.output<typeof verbs.answer>

interface Question {
  readonly waiting: Set<Member>
  readonly answers: Answer[]
  readonly done: () => void
}

/** What came of asking for a client. */
export interface Found {
  /** Null: nobody who answered knows it. */
  readonly client: ClientView | null
  /** Every process in contact has answered. */
  readonly complete: boolean
}

/**
 * What the registry or an operator says to all processes, and questions to all of them about one client. Alone, the
 * same for the one process there is.
 */
export class Control implements CellPart {
  readonly #broker: Broker
  readonly #cell: Cell | null
  readonly #platform: Platform
  readonly #questions = new Map<number, Question>()
  readonly #unknown: Counter
  readonly #recheck: Recheck | null
  readonly #inspection: Inspection
  #lastId = 0

  constructor(broker: Broker, platform: Platform) {
    this.#broker = broker
    this.#cell = broker.cell
    this.#platform = platform
    this.#inspection = new Inspection(broker)
    platform.topics.open(topicTaps(broker))
    this.#unknown = broker.metrics.counter(
      'cinque_cell_dropped_total',
      'Entries from other processes that were not taken',
      { reason: 'unknown_verb' },
    )
    const { registry } = platform
    this.#recheck = this.#cell === null ? null : new Recheck(broker, registry)
    registry.onRevoked((gone) => this.#revoked(gone))
    registry.onDeleted((device) => this.#deleted(device))
    platform.identity.onChanged((change) => this.#said({ verb: 'identity_changed', ...change }))
    registry.organisations.onChanged(({ id, version, durability }, elsewhere) => {
      return elsewhere
        ? undefined
        : this.#said({ verb: 'organisation_changed', org: id, version, durability })
    })
    if (this.#cell === null) return
    this.#cell.parts.push(this)
    this.#cell.onControl = (entry) => this.#take(entry)
  }

  /** Who holds this client, and how it is doing. Resolves within 2 s. RangeError: too many questions at a time. */
  async find(org: string, client: string): Promise<Found> {
    const own = this.#view(org, client)
    const { answers, complete } = await this.#ask('who', org, client)
    return { client: answers.reduce((best, { view }) => betterView(best, view ?? null), own), complete }
  }

  /** Disconnects this client wherever it is; false: nobody who answered had it. Resolves within 2 s. RangeError as `find`. */
  async kick(org: string, client: string): Promise<{ kicked: boolean; complete: boolean }> {
    const own = this.#kick(org, client)
    const { answers, complete } = await this.#ask('kick', org, client)
    return { kicked: answers.reduce((sum, { kicked }) => sum + (kicked ?? 0), own) > 0, complete }
  }

  /** As `Inspection`. */
  readonly list: Inspection['list'] = (query) => this.#inspection.list(query)
  readonly subscriptions: Inspection['subscriptions'] = (query) => this.#inspection.subscriptions(query)
  readonly trace: Inspection['trace'] = (who, news) => this.#inspection.trace(who, news)

  /** What the process said before it was met, or before its stream broke, may never have come here. */
  opened(member: Member, again: boolean): void {
    const age = this.#broker.now - birthOf(Buffer.from(member.id, 'hex')) / 1024
    if (!again && age < MET_LATE_MS) return
    this.#platform.registry.doubt()
    this.#recheck?.start()
  }

  gone(member: Member): void {
    for (const question of this.#questions.values()) answered(question, member)
  }

  // --- the registry of this process ---------------------------------------------------------------------

  /** Resolves when every process in contact has closed the device's connections. */
  async #revoked({ org, id, name, hash, deletedAt, disabledAt }: KeyGone): Promise<void> {
    this.#broker.kickDevice(org, id, deletedAt === undefined ? hexOf(hash) : undefined)
    const said = {
      org,
      device: id,
      name,
      ...(hash === undefined ? {} : { hash: hexOf(hash) }),
      ...(disabledAt === undefined ? {} : { disabled_at: disabledAt }),
    }
    await this.#said(
      deletedAt === undefined
        ? { verb: 'key_gone', ...said }
        : { verb: 'device_gone', ...said, deleted_at: deletedAt },
    )
  }

  /** Resolves when the sessions of a deleted device are gone durably: those held here, and those that nobody holds. */
  async #deleted({ org, id }: DeviceRef): Promise<void> {
    const broker = this.#broker
    broker.forgetDevice(org, id)
    const space = broker.space(org)
    for (const away of space.away.values()) {
      if (away.deviceId !== id) continue
      // A holder in contact ends it itself.
      if (this.#cell?.member(away.holder)?.peer.inContact !== true) broker.lifecycle.endAway(away)
    }
    await space.commit.durable()
  }

  // --- words of other processes ---------------------------------------------------------------------------

  #take(entry: ControlEntry): void {
    switch (entry.verb) {
      case 'key_gone':
      case 'device_gone':
        return this.#heardGone(entry)
      case 'organisation_changed': {
        const { org, version, durability } = verbs.organisation_changed.parse(entry)
        return this.#platform.registry.organisations.heardChanged({ id: org, version, durability })
      }
      case 'identity_changed':
        return this.#platform.identity.heard(verbs.identity_changed.parse(entry))
      case 'who': {
        const { id, from, org, client } = verbs.who.parse(entry)
        return this.#answer(from, { id, view: this.#view(org, client) })
      }
      case 'kick': {
        const { id, from, org, client } = verbs.kick.parse(entry)
        return this.#answer(from, { id, kicked: this.#kick(org, client) })
      }
      case 'answer':
        return this.#answered(entry)
      default:
        this.#unknown.value++
    }
  }

  #heardGone(entry: ControlEntry): void {
    const { org, device: id, name, hash, disabled_at: disabledAt } = verbs.key_gone.parse(entry)
    const deletedAt = entry.verb === 'device_gone' ? verbs.device_gone.parse(entry).deleted_at : undefined
    const { registry } = this.#platform
    registry.heardKeyGone({
      org,
      id,
      name,
      hash: hash === undefined ? undefined : Buffer.from(hash, 'hex'),
      deletedAt,
      disabledAt,
    })
    const close = (): void => {
      if (deletedAt === undefined) this.#broker.kickDevice(org, id, hash)
      else this.#broker.forgetDevice(org, id)
    }
    close()
    if (deletedAt !== undefined) this.#forgetValues({ org, id, name }, deletedAt)
    // Who was let in by the old key just before is known a turn later.
    this.#broker.timers.soon(close)
  }

  #forgetValues(device: DeviceRef, deletedAt: number): void {
    const { telemetry, registry } = this.#platform
    const forget = async (): Promise<void> => {
      // After a long cut there may be another device of that id, whose values are its own.
      const successor = await registry.devices.findById(device.org, device.id)
      if (successor === undefined || registry.isDeleted(successor)) await telemetry.forget(device, deletedAt)
    }
    forget().catch((error: unknown) => {
      this.#broker.log.error(
        { event: 'telemetry.purge_failed', device: device.id, err: error },
        'values of a device that another process has deleted may be left; they are never shown, and end by their TTL',
      )
    })
  }

  /** Says it to all; resolves when those in contact have heard it. */
  #said(entry: ControlEntry): Promise<void> {
    const cell = this.#cell
    if (cell === null) return Promise.resolve()
    cell.tell(Entry.CONTROL, Buffer.from(JSON.stringify(entry)))
    return new Promise((known) => cell.channels.echo(known))
  }

  // --- questions ----------------------------------------------------------------------------------------

  #ask(
    verb: 'who' | 'kick',
    org: string,
    client: string,
  ): Promise<{ answers: readonly Answer[]; complete: boolean }> {
    const cell = this.#cell
    if (cell === null) return Promise.resolve({ answers: [], complete: true })
    if (this.#questions.size >= QUESTIONS)
      throw new RangeError(`${QUESTIONS} questions to other processes are under way; try again`)
    const id = ++this.#lastId
    const waiting = new Set<Member>()
    for (const member of cell.members()) if (member.peer.inContact) waiting.add(member)
    return new Promise((resolve) => {
      const answers: Answer[] = []
      const done = (): void => {
        timer.cancel()
        this.#questions.delete(id)
        resolve({ answers, complete: waiting.size === 0 })
      }
      const timer = cell.timers.after(ANSWER_MS, done)
      if (waiting.size === 0) return done()
      this.#questions.set(id, { waiting, answers, done })
      for (const { peer } of waiting) sendJson(peer, Entry.CONTROL, { verb, id, from: cell.id, org, client })
    })
  }

  #answer(from: string, answer: Omit<Answer, 'from'>): void {
    const member = this.#cell?.member(from)
    if (member === undefined) return
    sendJson(member.peer, Entry.CONTROL, { verb: 'answer', from: this.#cell?.id, ...answer })
  }

  #answered(entry: ControlEntry): void {
    const answer = verbs.answer.parse(entry)
    const question = this.#questions.get(answer.id)
    const member = this.#cell?.member(z.string().parse(entry.from))
    if (question === undefined || member === undefined || !question.waiting.has(member)) return
    question.answers.push(answer)
    answered(question, member)
  }

  #kick(org: string, client: string): number {
    return this.#broker.kick((c) => c.clientId === client && c.session?.space.org === org)
  }

  #view(org: string, client: string): ClientView | null {
    return viewClient(this.#broker, org, client)
  }
}

function hexOf(hash: Uint8Array | undefined): string | undefined {
  return hash === undefined ? undefined : Buffer.from(hash).toString('hex')
}

function answered(question: Question, member: Member): void {
  if (question.waiting.delete(member) && question.waiting.size === 0) question.done()
}
