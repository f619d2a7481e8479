import type { Cell, CellDc } from '#scripts/cell/cell.ts'
import { Publisher } from '../durability/publisher.ts'
import { eventually, within } from '../patience.ts'
import { Subscriber } from '../durability/subscriber.ts'
import type { Promised } from './five-dcs.ts'
import { Home } from './home.ts'

/** Milliseconds between the messages of one publisher. Each is a row for every subscriber, in every DC. */
const PACE_MS = 400
const RETRY_MS = 200
const FILTERS = ['load/+']
/** Generous: everything runs on a few cores, and DCs are starting beside it. */
const SETTLE_MS = 180_000

/** A client that has a place in the world. */
interface Placed<T> {
  readonly home: Home
  readonly client: T
}

/** Devices in every DC that check what they get: numbered messages of QoS 1 and 2 from everyone to everyone. */
export class Fleet {
  readonly publishers: Placed<Publisher>[] = []
  readonly subscribers: Placed<Subscriber>[] = []
  /** A subscriber that goes from DC to DC. */
  readonly traveller: Placed<Subscriber>
  readonly #dcs: readonly CellDc[]
  /** How often each publisher had connected. */
  readonly #connects = new Map<string, number>()
  #timer: NodeJS.Timeout | null = null

  constructor({ dcs }: Cell) {
    this.#dcs = dcs
    for (const dc of dcs) {
      this.publishers.push(this.#publisher(dc))
      this.subscribers.push(this.#subscriber(`sub-${dc.name}`, dc))
    }
    this.traveller = this.#subscriber('traveller', dcs[0])
    this.subscribers.push(this.traveller)
  }

  get clients(): readonly Placed<Publisher | Subscriber>[] {
    return [...this.publishers, ...this.subscribers]
  }

  /** Everybody connects, subscribes, and publishes from then on. */
  async begin(): Promise<void> {
    await Promise.all(this.subscribers.map(({ client }) => client.ready()))
    await Promise.all(this.publishers.map(({ client }) => client.joined()))
    this.forgive()
    this.go()
  }

  go(): void {
    this.#timer ??= setInterval(() => {
      for (const { client } of this.publishers) void client.produce(1)
    }, PACE_MS)
  }

  /**
   * Publishers rest; resolves when everything is acknowledged, everything acknowledged has come, and all are connected.
   * Rejects with what is missing. They go on when it resolves.
   */
  async settle(): Promise<void> {
    this.#rest()
    await eventually(
      () => [...this.#unfinished(), ...this.missing()].join('\n'),
      () => this.#unfinished().length === 0 && this.missing().length === 0,
      SETTLE_MS,
    )
    this.go()
  }

  /** Who moved goes back to its own DC. Rejects with who has not come. */
  async goHome(): Promise<void> {
    for (const list of [this.publishers, this.subscribers]) {
      for (const [at, { home, client }] of list.entries()) {
        const dc = this.#dcs[at % this.#dcs.length]
        if (home.dc === dc && client.connected) continue
        home.moveTo(dc)
        client.takeOver()
      }
    }
    const back = this.#clients().map((client) =>
      within(client.joined(), () => `${client.id} is not back`, SETTLE_MS),
    )
    await Promise.all(back)
  }

  /** Acknowledged, and not come. */
  missing(): string[] {
    return this.subscribers.flatMap(({ client }) =>
      this.publishers.flatMap(({ client: publisher }) => client.missing(publisher)),
    )
  }

  /**
   * What must never have happened. Publishers that connected anew since `forgive`, because something happened to their DC or
   * because the machine stood still, send again: with QoS 1 that may come after what came to its end there before; with
   * QoS 2 their session has one order.
   */
  violations(promised: Promised): string[] {
    const anew = this.publishers.filter(({ client }) => client.connects !== this.#connects.get(client.id))
    const sentAgain = (text: string): boolean => anew.some(({ client }) => text.includes(`${client.id} 1 `))
    const all = this.#clients()
      .flatMap(({ violations }) => violations)
      .filter((text) => !(/came after/.test(text) && sentAgain(text)))
    return promised === 'order and once' ? all : all.filter((text) => !/came after|came twice/.test(text))
  }

  /** Violations so far are known. */
  forgive(): void {
    for (const { violations } of this.#clients()) violations.length = 0
    for (const { client } of this.publishers) this.#connects.set(client.id, client.connects)
  }

  get acknowledged(): number {
    return this.publishers.reduce(
      (n, { client: { acknowledged } }) => n + acknowledged[1].size + acknowledged[2].size,
      0,
    )
  }

  stop(): void {
    this.#rest()
    for (const client of this.#clients()) client.vanish()
  }

  #rest(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  #unfinished(): string[] {
    return [
      ...this.publishers.flatMap(({ client }) =>
        client.pending === 0 && client.connected ? [] : [client.state],
      ),
      ...this.subscribers.flatMap(({ client }) =>
        client.connected ? [] : [`${client.id} is not connected`],
      ),
    ]
  }

  #clients(): (Publisher | Subscriber)[] {
    return this.clients.map(({ client }) => client)
  }

  #publisher(dc: CellDc): Placed<Publisher> {
    const home = new Home(this.#dcs, dc)
    const clientId = `pub-${dc.name}`
    const topic = `load/${dc.name}`
    const options = { port: home.dial, retryMs: RETRY_MS, clientId, topic, qos: [1, 2] as const, most: 0 }
    return { home, client: new Publisher(options) }
  }

  #subscriber(clientId: string, dc: CellDc): Placed<Subscriber> {
    const home = new Home(this.#dcs, dc)
    const options = { port: home.dial, retryMs: RETRY_MS, clientId, filters: FILTERS, qos: 2 as const }
    return { home, client: new Subscriber(options) }
  }
}
