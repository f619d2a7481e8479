import {
  encodeAck,
  encodeConnect,
  encodeDisconnect,
  encodePublish,
  encodeSubscribe,
  encodeUnsubscribe,
  decodeRemainingLength,
  noProperties,
  PINGREQ,
  type PublishPacket,
} from '#broker/packets/index.ts'
import { decodeBody, headerSize, type Packet } from '../broker/packets/packet.ts'
import type { Cell } from './cell.ts'
import type { Connected, Receipt, Sent, Subscribed } from './history.ts'
import { Line, type LineUser } from './line.ts'
import type { SimProcess } from './process.ts'
import type { Random } from './random.ts'
import type { Event } from './schedule.ts'

const VERSION = 5
/** Seconds; clients lose patience before. */
export const KEEP_ALIVE = 6
const PING_MS = 1000
const SILENCE_MS = 3500
const CONNACK_MS = 6000
const ANSWER_MS = 8000
/** Packet identifiers are few, so that they are used again soon. */
const MOST_IDS = 40

/** What a client does. */
export interface ClientPlan {
  readonly id: string
  /** Seconds; 0: the session ends with the connection. */
  readonly expiry: number
  /** Chance of a clean start at a connect. */
  readonly cleanStart: number
  /** Subscribed whenever the session does not have it. */
  readonly subscribes: readonly { filter: string; qos: 1 | 2 }[]
  /** Subscribed and unsubscribed now and then. */
  readonly toggles: readonly { filter: string; qos: 1 | 2 }[]
  readonly publishes: {
    readonly topics: readonly string[]
    readonly qos: 1 | 2
    readonly retain: boolean
    /** Longest and shortest pause in milliseconds. */
    readonly every: readonly [number, number]
    readonly window: number
  } | null
  readonly will: { readonly topic: string; readonly qos: 1 | 2; readonly delay: number } | null
  /** Milliseconds until its first connect. */
  readonly startsAt: number
}

interface Unacked {
  readonly sent: Sent
  packetId: number
  state: 'publish' | 'pubrel'
}

/** How a client leaves its connection. */
export type Leaving = 'graceful' | 'reset' | 'vanish'

/** An MQTT 5 client that keeps its side of every promise, and writes down what it was promised and what it got. */
export class SimClient implements LineUser {
  readonly plan: ClientPlan
  readonly receipts: Receipt[] = []
  readonly subscriptions: Subscribed[] = []
  readonly connections: Connected[] = []
  /** It publishes and changes subscriptions. */
  active = true
  line: Line | null = null
  /** CONNACK has come. */
  established = false
  /** The broker has told of its session; it may have one without that. */
  #hasSession = false
  #mayHaveSession = false
  #n = 0
  #packetId = 0
  readonly #cell: Cell
  readonly #random: Random
  #unacked: Unacked[] = []
  /** QoS 2 identifiers received and not released. */
  readonly #received = new Set<number>()
  readonly #asked = new Map<number, { subscribe: Subscribed[]; unsubscribe: Subscribed[] }>()
  #rest: Buffer = Buffer.alloc(0)
  #heard = 0
  #retry: Event | null = null
  #stopped = false

  constructor(cell: Cell, plan: ClientPlan) {
    this.#cell = cell
    this.plan = plan
    this.#random = cell.world.random.fork()
    cell.world.after(plan.startsAt, () => this.connect())
    if (plan.publishes !== null) this.#publishLater()
    if (plan.toggles.length > 0) this.#toggleLater()
  }

  get id(): string {
    return this.plan.id
  }

  /** Something that it published is not acknowledged to the end. */
  get busy(): boolean {
    return this.#unacked.length > 0
  }

  get connection(): Connected | undefined {
    return this.connections.at(-1)
  }

  // --- connections ------------------------------------------------------------------------------------

  connect(): void {
    this.#retry = null
    if (this.#stopped || this.line !== null) return
    const process = this.#choose()
    if (process === null) {
      this.#connectLater(200)
      return
    }
    const { world } = this.#cell
    const line = new Line(world, process, this)
    process.lines.add(line)
    this.line = line
    this.established = false
    this.#rest = Buffer.alloc(0)
    this.#heard = world.now
    this.#asked.clear()
    const cleanStart = this.#random.chance(this.plan.cleanStart)
    const n = this.connections.length + 1
    const will =
      this.plan.will === null
        ? null
        : this.#message(this.plan.will.topic, this.plan.will.qos, false, `will-${n}`)
    this.#mayHaveSession ||= n > 1 && this.plan.expiry > 0
    this.connections.push({
      n,
      process,
      cleanStart,
      sentAt: world.now,
      ackedAt: null,
      present: false,
      ended: null,
      endedAt: 0,
      will,
      smooth: this.#cell.smooth(process),
    })
    if (cleanStart) for (const s of this.subscriptions) s.endedAt ??= world.now
    world.trace('connect', n, () => `${this.id} #${n} to ${process.name}${cleanStart ? ' clean' : ''}`)
    line.send(
      encodeConnect({
        version: VERSION,
        cleanStart,
        keepAlive: KEEP_ALIVE,
        clientId: this.id,
        properties: { sessionExpiryInterval: this.plan.expiry },
        ...(will === null || this.plan.will === null
          ? {}
          : {
              will: {
                topic: will.topic,
                payload: Buffer.from(will.id),
                qos: will.qos,
                retain: false,
                properties: { willDelayInterval: this.plan.will.delay },
              },
            }),
      }),
    )
    world.after(CONNACK_MS, () => {
      if (this.line === line && !this.established) this.leave('reset', 100)
    })
    this.#pingLater(line)
  }

  /** Leaves its connection and comes back after `ms`. */
  leave(how: Leaving, ms: number): void {
    const { line } = this
    if (line === null) {
      if (this.#retry !== null) this.#connectLater(ms)
      return
    }
    this.#cell.world.trace('leave', how.length, () => `${this.id} ${how}`)
    if (how === 'graceful') {
      line.send(encodeDisconnect(0, noProperties, VERSION))
      line.end()
    } else if (how === 'reset') line.reset()
    else line.vanish()
    this.#lost(line, how === 'vanish' ? 'vanished' : how === 'graceful' && this.established ? how : 'gone')
    this.#connectLater(ms)
  }

  /** Comes no more. */
  stop(how: Leaving): void {
    this.leave(how, 0)
    this.#stopped = true
  }

  closed(line: Line): void {
    if (this.line !== line) return
    this.#cell.world.trace('closed', 0, () => this.id)
    this.#lost(line, 'gone')
    this.#connectLater(this.#random.between(50, 900))
  }

  #lost(line: Line, ended: 'graceful' | 'gone' | 'vanished'): void {
    line.process.lines.delete(line)
    this.line = null
    this.established = false
    const connection = this.connections[this.connections.length - 1]
    connection.ended = ended
    connection.endedAt = this.#cell.world.now
  }

  #connectLater(ms: number): void {
    if (this.#retry !== null) this.#retry.cancelled = true
    this.#retry = this.#cell.world.after(ms, () => this.connect())
  }

  /** A process that takes connections; now and then one that stands still. */
  #choose(): SimProcess | null {
    const last = this.connection?.process
    const able = this.#cell.processes.filter(
      (p) => p.ready && p.life !== null && (!p.life.frozen || this.#random.chance(0.15)),
    )
    if (able.length === 0) return null
    return last !== undefined && able.includes(last) && this.#random.chance(0.3)
      ? last
      : this.#random.pick(able)
  }

  #pingLater(line: Line): void {
    const { world } = this.#cell
    world.after(PING_MS, () => {
      if (this.line !== line) return
      if (this.established && world.now - this.#heard > SILENCE_MS) {
        this.leave('reset', this.#random.between(10, 300))
        return
      }
      if (this.established) line.send(PINGREQ)
      this.#pingLater(line)
    })
  }

  // --- publishing and subscribing ---------------------------------------------------------------------

  #message(topic: string, qos: 1 | 2, retain: boolean, name: string): Sent {
    const id = `${this.id}:${name}`
    const sent: Sent = {
      id,
      topic,
      qos,
      retain,
      publisher: this.id,
      n: this.#n,
      sentAt: null,
      connection: 0,
      resent: false,
      ackedAt: null,
      taker: null,
      excused: false,
    }
    this.#cell.history.sent.set(id, sent)
    return sent
  }

  #publishLater(): void {
    const plan = this.plan.publishes
    if (plan === null) return
    this.#cell.world.after(this.#random.between(plan.every[0], plan.every[1]), () => {
      if (!this.active) return
      if (this.#unacked.length < plan.window && this.connections.length > 0) {
        this.#n++
        const sent = this.#message(this.#random.pick(plan.topics), plan.qos, plan.retain, String(this.#n))
        const unacked: Unacked = { sent, packetId: this.#nextId(), state: 'publish' }
        this.#unacked.push(unacked)
        if (this.established) this.#transmit(unacked, false)
      }
      this.#publishLater()
    })
  }

  #transmit({ sent, packetId }: Unacked, dup: boolean): void {
    const { world } = this.#cell
    if (sent.sentAt === null) {
      sent.sentAt = world.now
      sent.connection = this.connections.length
    } else sent.resent = true
    world.trace('publish', sent.n, () => `${sent.id} to ${sent.topic} id ${packetId}${dup ? ' dup' : ''}`)
    this.line?.send(
      encodePublish(
        {
          topic: sent.topic,
          payload: Buffer.from(sent.id),
          qos: sent.qos,
          packetId,
          dup,
          retain: sent.retain,
          properties: noProperties,
        },
        VERSION,
      ),
    )
    const { line } = this
    world.after(ANSWER_MS, () => {
      if (this.line === line && this.#unacked.some((u) => u.sent === sent)) this.leave('reset', 50)
    })
  }

  #subscribe(filters: readonly { filter: string; qos: 1 | 2 }[]): void {
    const { world } = this.#cell
    const packetId = this.#nextId()
    const made = filters.map(
      ({ filter, qos }): Subscribed => ({
        filter,
        qos,
        sentAt: world.now,
        ackedAt: null,
        process: null,
        endedAt: null,
        goneAt: null,
      }),
    )
    this.#asked.set(packetId, { subscribe: made, unsubscribe: [] })
    world.trace('subscribe', packetId, () => `${this.id} ${filters.map((f) => f.filter).join(' ')}`)
    this.line?.send(
      encodeSubscribe(
        {
          packetId,
          subscriptions: filters.map((f) => ({
            ...f,
            noLocal: false,
            retainAsPublished: false,
            retainHandling: 0,
          })),
          properties: noProperties,
        },
        VERSION,
      ),
    )
  }

  #unsubscribe(which: readonly Subscribed[]): void {
    const { world } = this.#cell
    const packetId = this.#nextId()
    for (const s of which) s.endedAt ??= world.now
    this.#asked.set(packetId, { subscribe: [], unsubscribe: [...which] })
    const filters = which.map((s) => s.filter)
    world.trace('unsubscribe', packetId, () => `${this.id} ${filters.join(' ')}`)
    this.line?.send(encodeUnsubscribe({ packetId, filters, properties: noProperties }, VERSION))
  }

  #toggleLater(): void {
    const { world } = this.#cell
    world.after(this.#random.between(400, 4000), () => {
      if (!this.active) return
      if (this.established) {
        const toggle = this.#random.pick(this.plan.toggles)
        const now = this.#held(toggle.filter)
        const asked = [...this.#asked.values()].some(({ subscribe, unsubscribe }) =>
          [...subscribe, ...unsubscribe].some((s) => s.filter === toggle.filter),
        )
        if (!asked) {
          if (now === undefined) this.#subscribe([toggle])
          else this.#unsubscribe([now])
        }
      }
      this.#toggleLater()
    })
  }

  /** Its acknowledged subscription to a filter. */
  #held(filter: string): Subscribed | undefined {
    return this.subscriptions.findLast((s) => s.filter === filter && s.ackedAt !== null && s.endedAt === null)
  }

  #nextId(): number {
    do this.#packetId = (this.#packetId % MOST_IDS) + 1
    while (this.#unacked.some((u) => u.packetId === this.#packetId) || this.#asked.has(this.#packetId))
    return this.#packetId
  }

  // --- what comes -------------------------------------------------------------------------------------

  received(line: Line, chunk: Buffer): void {
    if (this.line !== line) return
    this.#heard = this.#cell.world.now
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    while (data.length >= 2 && this.line === line) {
      const length = decodeRemainingLength(data, 1, data.length)
      if (length === -1) break
      const from = headerSize(data)
      if (from + length > data.length) break
      this.#packet(decodeBody(data[0], data, from, from + length, VERSION))
      data = data.subarray(from + length)
    }
    this.#rest = data
  }

  #packet(packet: Packet): void {
    switch (packet.type) {
      case 2:
        this.#connack(packet.value.reason, packet.value.sessionPresent)
        break
      case 3:
        this.#publish(packet.value)
        break
      case 4:
        this.#puback(packet.value.packetId, packet.value.reason)
        break
      case 5:
        this.#pubrec(packet.value.packetId, packet.value.reason)
        break
      case 6:
        this.#received.delete(packet.value.packetId)
        this.#ack(7, packet.value.packetId)
        break
      case 7:
        this.#pubcomp(packet.value.packetId)
        break
      case 9:
        this.#suback(packet.value.packetId, packet.value.reasons)
        break
      case 11:
        this.#unsuback(packet.value.packetId)
        break
      case 14:
        this.#cell.world.trace(
          'disconnect',
          packet.value.reason,
          () => `${this.id} is told 0x${packet.value.reason.toString(16)}`,
        )
        break
      default:
    }
  }

  #connack(reason: number, present: boolean): void {
    const { world } = this.#cell
    world.trace('connack', reason, () => `${this.id} 0x${reason.toString(16)} present ${present}`)
    const connection = this.connections[this.connections.length - 1]
    if (reason !== 0) {
      this.leave('reset', this.#random.between(100, 600))
      return
    }
    this.established = true
    connection.ackedAt = world.now
    connection.present = present
    if (connection.will !== null) connection.will.sentAt = world.now
    if (present && (connection.cleanStart || this.plan.expiry === 0 || !this.#mayHaveSession))
      this.#cell.fail(`session present where there is none: ${this.id} #${connection.n}`)
    if (!present) {
      if (this.#hasSession && !connection.cleanStart && this.plan.expiry > 0)
        this.#cell.sessionLost(this, connection)
      if (this.#hasSession) this.#cell.checks.sessionEnded(this, connection)
      for (const s of this.subscriptions) s.endedAt ??= world.now
      this.#received.clear()
      this.#forget()
    }
    this.#hasSession = this.plan.expiry > 0
    this.#mayHaveSession ||= this.#hasSession
    for (const unacked of this.#unacked) {
      if (unacked.state === 'publish') this.#transmit(unacked, unacked.sent.sentAt !== null && present)
      else this.#ack(6, unacked.packetId)
    }
    const missing = this.plan.subscribes.filter(({ filter }) => this.#held(filter) === undefined)
    if (missing.length > 0) this.#subscribe(missing)
  }

  /** The broker has nothing of this session: handshakes begin anew. */
  #forget(): void {
    this.#unacked = this.#unacked.filter(({ state }) => state === 'publish')
    for (const { sent } of this.#unacked) if (sent.sentAt !== null) sent.excused = true
  }

  #publish(packet: PublishPacket): void {
    const { world } = this.#cell
    const id = packet.payload.toString()
    const { packetId, qos, dup, retain } = packet
    world.trace(
      'deliver',
      packetId,
      () => `${this.id} gets ${id} qos ${qos} id ${packetId}${dup ? ' dup' : ''}${retain ? ' retained' : ''}`,
    )
    const fresh = qos !== 2 || !this.#received.has(packetId)
    if (qos === 2) this.#received.add(packetId)
    if (fresh) {
      const receipt: Receipt = { id, at: world.now, connection: this.connections.length, qos, dup, retain }
      this.receipts.push(receipt)
      this.#cell.checks.received(this, receipt)
    }
    if (qos > 0) this.#ack(qos === 1 ? 4 : 5, packetId)
  }

  #ack(type: 4 | 5 | 6 | 7, packetId: number): void {
    this.line?.send(encodeAck(type, packetId, 0, noProperties, VERSION))
  }

  #puback(packetId: number, reason: number): void {
    const unacked = this.#unacked.find((u) => u.packetId === packetId && u.sent.qos === 1)
    if (unacked === undefined) return
    this.#unacked = this.#unacked.filter((u) => u !== unacked)
    this.#acknowledged(unacked, reason)
  }

  #pubrec(packetId: number, reason: number): void {
    const unacked = this.#unacked.find((u) => u.packetId === packetId && u.sent.qos === 2)
    if (unacked === undefined) {
      this.#ack(6, packetId)
      return
    }
    if (reason >= 0x80) {
      this.#unacked = this.#unacked.filter((u) => u !== unacked)
      return
    }
    if (unacked.state === 'publish') this.#acknowledged(unacked, reason)
    unacked.state = 'pubrel'
    this.#ack(6, packetId)
  }

  #acknowledged({ sent }: Unacked, reason: number): void {
    const { world } = this.#cell
    world.trace('acked', sent.n, () => `${sent.id} 0x${reason.toString(16)}`)
    if (reason >= 0x80) return
    sent.ackedAt = world.now
    sent.taker = this.line?.process ?? null
    this.#cell.checks.acknowledged(sent)
  }

  #pubcomp(packetId: number): void {
    this.#unacked = this.#unacked.filter((u) => !(u.packetId === packetId && u.state === 'pubrel'))
  }

  #suback(packetId: number, reasons: readonly number[]): void {
    const asked = this.#asked.get(packetId)
    if (asked === undefined) return
    this.#asked.delete(packetId)
    const { world } = this.#cell
    world.trace(
      'suback',
      packetId,
      () => `${this.id} ${asked.subscribe.map((s) => s.filter).join(' ')} ${reasons.join(' ')}`,
    )
    for (const [i, s] of asked.subscribe.entries()) {
      if (reasons[i] !== s.qos) {
        this.#cell.fail(`SUBACK ${reasons[i]} to ${this.id} for ${s.filter}`)
        continue
      }
      s.ackedAt = world.now
      s.process = this.line?.process ?? null
      this.subscriptions.push(s)
    }
  }

  #unsuback(packetId: number): void {
    const asked = this.#asked.get(packetId)
    if (asked === undefined) return
    this.#asked.delete(packetId)
    const { world } = this.#cell
    world.trace('unsuback', packetId, () => `${this.id} ${asked.unsubscribe.map((s) => s.filter).join(' ')}`)
    for (const s of asked.unsubscribe) s.goneAt = world.now
  }
}
