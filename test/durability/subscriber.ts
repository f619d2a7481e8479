import type { IPublishPacket, Packet } from 'mqtt-packet'
import { Client, type ClientOptions } from './client.ts'
import type { Publisher } from './publisher.ts'

export interface SubscriberOptions extends ClientOptions {
  readonly filters: readonly string[]
  readonly qos: 1 | 2
  /** Milliseconds by which it acknowledges late, at most; null: not before `acknowledge`. Default 0. */
  readonly lag?: number | null
}

/** What has come of one publisher at one QoS. */
interface Stream {
  readonly seen: Set<number>
  newest: number
}

/**
 * Receives numbered messages in a persistent session and keeps what the specification asks a receiver to keep: the
 * identifiers of QoS 2 messages received and not released (4.3.3), across connections. Subscribes once in its life.
 */
export class Subscriber extends Client {
  /** Messages received, those doubled with QoS 1 included. */
  count = 0
  /** Messages of QoS 1 that came more than once. */
  repeated = 0
  /** Numbers in order of arrival, by `publisher qos`. */
  readonly arrivals = new Map<string, number[]>()
  readonly #options: SubscriberOptions
  readonly #streams = new Map<string, Stream>()
  readonly #unreleased = new Set<number>()
  #acks: { at: number; packet: Packet }[] = []
  #timer: NodeJS.Timeout | null = null
  #subscribed = new Set<string>()
  #asked = new Map<number, string[]>()
  #lastId = 0
  #lag: number | null
  #wakers: (() => void)[] = []

  constructor(options: SubscriberOptions) {
    super(options)
    this.#options = options
    this.#lag = options.lag === undefined ? 0 : options.lag
  }

  /** Filters whose SUBACK has come. */
  get subscribed(): ReadonlySet<string> {
    return this.#subscribed
  }

  /** Connects and subscribes; resolves after SUBACK. */
  async ready(): Promise<void> {
    await this.joined()
    await this.until(() => this.#options.filters.every((filter) => this.#subscribed.has(filter)))
  }

  /** Resolves when the condition holds; looked at after each packet. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#wakers.push(resolve))
  }

  subscribe(filters: readonly string[]): void {
    this.#lastId = (this.#lastId % 65_535) + 1
    this.#asked.set(this.#lastId, [...filters])
    const subscriptions = filters.map((topic) => ({ topic, qos: this.#options.qos }))
    this.send({ cmd: 'subscribe', messageId: this.#lastId, subscriptions })
  }

  /** Acknowledges at once from now on, and what it has not yet. */
  acknowledge(): void {
    this.#lag = 0
    this.#flush()
  }

  /** Acknowledged messages of a publisher that have not come. */
  missing(publisher: Publisher): string[] {
    return ([1, 2] as const).flatMap((qos) => {
      const seen = this.#streams.get(`${publisher.id} ${qos}`)?.seen
      const lost = [...publisher.acknowledged[qos]].filter((n) => seen?.has(n) !== true)
      return lost.length === 0
        ? []
        : [`${this.id} misses ${lost.length} of ${publisher.id} with QoS ${qos}: ${brief(lost)}`]
    })
  }

  protected override accepted(sessionPresent: boolean): void {
    if (this.connects > 1 && !sessionPresent && this.#options.persistent !== false)
      this.violations.push(`${this.id}: its session is lost`)
    if (!sessionPresent) {
      this.#unreleased.clear()
      this.#subscribed.clear()
    }
    this.#asked.clear()
    const wanted = this.#options.filters.filter((filter) => !this.#subscribed.has(filter))
    if (wanted.length > 0) this.subscribe(wanted)
    this.#wake()
  }

  protected override dropped(): void {
    this.#acks = []
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  protected override received(packet: Packet): void {
    if (packet.cmd === 'suback') {
      for (const filter of this.#asked.get(packet.messageId ?? 0) ?? []) this.#subscribed.add(filter)
      this.#asked.delete(packet.messageId ?? 0)
    } else if (packet.cmd === 'publish') this.#publish(packet)
    else if (packet.cmd === 'pubrel') {
      this.#unreleased.delete(packet.messageId ?? 0)
      this.#answer({ cmd: 'pubcomp', messageId: packet.messageId ?? 0 })
    }
    this.#wake()
  }

  #publish(packet: IPublishPacket): void {
    const messageId = packet.messageId ?? 0
    if (packet.qos === 2) {
      if (this.#unreleased.has(messageId)) {
        if (!packet.dup) this.violations.push(`${this.id}: identifier ${messageId} given to a second message`)
      } else {
        this.#unreleased.add(messageId)
        this.#note(packet)
      }
      this.#answer({ cmd: 'pubrec', messageId })
    } else {
      this.#note(packet)
      if (packet.qos === 1) this.#answer({ cmd: 'puback', messageId })
    }
  }

  #note(packet: IPublishPacket): void {
    this.count++
    const [publisher, qos, number] = packet.payload.toString().split(' ')
    const n = Number(number)
    const name = `${publisher} ${qos}`
    let stream = this.#streams.get(name)
    if (stream === undefined) this.#streams.set(name, (stream = { seen: new Set(), newest: 0 }))
    const arrivals = this.arrivals.get(name)
    if (arrivals === undefined) this.arrivals.set(name, [n])
    else arrivals.push(n)
    if (stream.seen.has(n)) {
      if (packet.qos === 2) this.violations.push(`${this.id}: ${name} ${n} came twice with QoS 2`)
      else this.repeated++
      return
    }
    if (n < stream.newest) this.violations.push(`${this.id}: ${name} ${n} came after ${stream.newest}`)
    stream.seen.add(n)
    stream.newest = Math.max(stream.newest, n)
  }

  /** Acknowledgements leave in order (4.6). */
  #answer(packet: Packet): void {
    const lag = this.#lag
    if (lag === 0) {
      this.send(packet)
      return
    }
    this.#acks.push({ at: lag === null ? 0 : Date.now() + (this.count % (lag + 1)), packet })
    if (lag !== null) this.#timer ??= setTimeout(() => this.#flush(), lag)
  }

  #flush(): void {
    this.#timer = null
    while (this.#acks.length > 0 && this.#acks[0].at <= Date.now()) {
      const ack = this.#acks.shift()
      if (ack !== undefined) this.send(ack.packet)
    }
    if (this.#acks.length > 0) this.#timer = setTimeout(() => this.#flush(), 1)
  }

  #wake(): void {
    for (const wake of this.#wakers.splice(0)) wake()
  }
}

function brief(numbers: readonly number[]): string {
  const shown = numbers.slice(0, 20).join(' ')
  return numbers.length > 20 ? `${shown} ... ${numbers.at(-1)}` : shown
}
