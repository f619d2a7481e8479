import type { Packet } from 'mqtt-packet'
import { Client, type ClientOptions } from './client.ts'

/** What one message says of itself: publisher, QoS and number, by which lost, doubled and reordered ones are seen. */
export function payloadOf(publisher: string, qos: number, n: number, padding = 0): string {
  return `${publisher} ${qos} ${n} ${'x'.repeat(padding)}`
}

interface Pending {
  readonly topic: string
  readonly qos: 1 | 2
  readonly n: number
  /** PUBREC has come: only PUBREL is to be repeated. */
  released: boolean
}

export interface PublisherOptions extends ClientOptions {
  /** Messages under way at a time. */
  readonly window?: number
  readonly topic: string
  readonly qos: readonly (1 | 2)[]
  readonly retain?: boolean
  /** Instead of `payloadOf`. */
  readonly payload?: (n: number) => string
  /** Bytes added to each payload. */
  readonly padding?: number
  /** Most messages in all. */
  readonly most?: number
}

/**
 * Publishes numbered messages without end and keeps what is not acknowledged, also across connections: it is sent
 * again with DUP, in the original order, under the same packet identifiers (4.4).
 */
export class Publisher extends Client {
  /** Numbers acknowledged (PUBACK or PUBREC), by QoS. */
  readonly acknowledged: Record<1 | 2, Set<number>> = { 1: new Set(), 2: new Set() }
  /** The newest number sent, by QoS. */
  readonly sent: Record<1 | 2, number> = { 1: 0, 2: 0 }
  readonly topic: string
  readonly #options: PublisherOptions
  readonly #pending = new Map<number, Pending>()
  #producing = true
  #lastId = 0
  #count = 0
  #rest: (() => void)[] = []

  constructor(options: PublisherOptions) {
    super(options)
    this.#options = options
    this.topic = options.topic
  }

  get pending(): number {
    return this.#pending.size
  }

  /** What is under way, as text. */
  get state(): string {
    const ids = [...this.#pending].map(
      ([id, { qos, n, released }]) => `${id}: ${qos} ${n}${released ? ' released' : ''}`,
    )
    return `${this.id} ${this.connected ? 'connected' : 'not connected'}, waits for ${ids.slice(0, 10).join(', ')}`
  }

  /** Sends no new messages; resolves when all are acknowledged. */
  finish(): Promise<void> {
    this.#producing = false
    return this.idle()
  }

  /** Goes on after `finish`, with so many more messages. */
  produce(more: number): Promise<void> {
    this.#producing = true
    this.#most = this.#count + more
    this.#fill()
    return this.idle()
  }

  /** Resolves when nothing is under way. */
  idle(): Promise<void> {
    if (this.#pending.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#rest.push(resolve))
  }

  get #limit(): number {
    return this.#most
  }

  #most = Number.POSITIVE_INFINITY

  protected override accepted(sessionPresent: boolean): void {
    if (this.connects === 1 && this.#options.most !== undefined) this.#most = this.#options.most
    if (this.connects > 1 && !sessionPresent && this.#options.persistent !== false)
      this.violations.push(`${this.id}: its session is lost`)
    for (const [id, pending] of this.#pending) {
      if (pending.released) this.send({ cmd: 'pubrel', messageId: id })
      else this.#publish(id, pending, true)
    }
    this.#fill()
  }

  protected override received(packet: Packet): void {
    const id = packet.messageId ?? 0
    const pending = this.#pending.get(id)
    const code = 'reasonCode' in packet ? (packet.reasonCode ?? 0) : 0
    if (code >= 0x80 && !(packet.cmd === 'pubcomp' && code === 0x92))
      this.violations.push(`${this.id}: ${packet.cmd} with reason ${code}`)
    if (packet.cmd === 'puback' && pending?.qos === 1) {
      this.acknowledged[1].add(pending.n)
      this.#settled(id)
    } else if (packet.cmd === 'pubrec' && pending?.qos === 2) {
      this.acknowledged[2].add(pending.n)
      pending.released = true
      this.send({ cmd: 'pubrel', messageId: id })
    } else if (packet.cmd === 'pubcomp' && pending?.released === true) this.#settled(id)
  }

  #settled(id: number): void {
    this.#pending.delete(id)
    this.#fill()
    if (this.#pending.size === 0) for (const resolve of this.#rest.splice(0)) resolve()
  }

  #fill(): void {
    const { window = 16, qos } = this.#options
    while (this.connected && this.#producing && this.#pending.size < window && this.#count < this.#limit) {
      const level = qos[this.#count++ % qos.length]
      const pending: Pending = { topic: this.topic, qos: level, n: ++this.sent[level], released: false }
      do this.#lastId = (this.#lastId % 65_535) + 1
      while (this.#pending.has(this.#lastId))
      this.#pending.set(this.#lastId, pending)
      this.#publish(this.#lastId, pending, false)
    }
  }

  #publish(id: number, { topic, qos, n }: Pending, dup: boolean): void {
    const { retain = false, padding = 0 } = this.#options
    const payload = this.#options.payload?.(n) ?? payloadOf(this.id, qos, n, padding)
    this.send({ cmd: 'publish', topic, payload, qos, retain, dup, messageId: id })
  }
}
