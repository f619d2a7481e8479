import { expect } from 'chai'
import * as fc from 'fast-check'
import { fresh } from './fresh.ts'
import type { Received } from './client.ts'
import type { Peer } from './peer.ts'
import type { BrokerUnderTest } from './suite.ts'

type Qos = 0 | 1 | 2

export type Command =
  | { readonly do: 'connect'; readonly client: number; readonly clean: boolean }
  | { readonly do: 'leave'; readonly client: number }
  | { readonly do: 'subscribe'; readonly client: number; readonly filter: string; readonly qos: Qos }
  | { readonly do: 'unsubscribe'; readonly client: number; readonly filter: string }
  | {
      readonly do: 'publish'
      readonly topic: string
      readonly qos: Qos
      readonly retain: boolean
      readonly empty: boolean
      /** clients that read this message, do not acknowledge it and leave */
      readonly losing: readonly number[]
    }

const CLIENTS = 3
const anyClient = fc.nat(CLIENTS - 1)
const anyQos = fc.constantFrom<Qos>(0, 1, 2)
const anyFilter = fc.constantFrom('a', 'a/b', 'a/+', '+/b', '+', '#', 'a/#', '+/+/c')
/** What clients may do, one after the other. */
export const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('connect'), client: anyClient, clean: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave'), client: anyClient }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('subscribe'), client: anyClient, filter: anyFilter, qos: anyQos }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('unsubscribe'), client: anyClient, filter: anyFilter }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('publish'),
      topic: fc.constantFrom('a', 'b', 'a/b', 'b/b', 'a/b/c'),
      qos: anyQos,
      retain: fc.boolean(),
      empty: fc.boolean(),
      losing: fc.oneof(
        { weight: 3, arbitrary: fc.constant([]) },
        { weight: 1, arbitrary: fc.uniqueArray(anyClient) },
      ),
    }),
  },
)

interface Message {
  readonly topic: string
  readonly payload: string
  readonly qos: Qos
  readonly retain: boolean
  /** undefined: either */
  readonly dup: boolean | undefined
}

const matches = (pattern: readonly string[], topic: readonly string[]): boolean => {
  const [first, ...rest] = pattern
  if (first === '#') return true
  if (first === undefined || topic.length === 0) return first === undefined && topic.length === 0
  return (first === '+' || first === topic[0]) && matches(rest, topic.slice(1))
}

const lower = (one: Qos, other: Qos): Qos => (one < other ? one : other)

/** What a broker has to remember of one client, said as simply as possible. */
class Session {
  peer: Peer | undefined
  kept = false
  readonly subscriptions = new Map<string, Qos>()
  /** To be delivered: at once if there is a connection, else when there is one. */
  waiting: Message[] = []
  /** QoS 1, acknowledged; and those of them that may come again. */
  acknowledged = new Set<string>()
  again = new Set<string>()

  forget(): void {
    this.subscriptions.clear()
    this.waiting = []
    this.acknowledged.clear()
    this.again.clear()
  }
}

export type Clients = Pick<BrokerUnderTest, 'connect' | 'connack'>

/** Runs commands against the broker and against the sessions above; both have to agree after each. */
export class Run {
  readonly #broker: Clients
  readonly #root = fresh('m')
  readonly #sessions = Array.from({ length: CLIENTS }, () => new Session())
  readonly #retained = new Map<string, Message>()
  #publisher: Peer
  #count = 0

  constructor(broker: Clients, publisher: Peer) {
    this.#broker = broker
    this.#publisher = publisher
  }

  async step(command: Command): Promise<void> {
    switch (command.do) {
      case 'connect':
        await this.#connect(command.client, command.clean)
        break
      case 'leave':
        await this.#leave(this.#session(command.client))
        break
      case 'subscribe':
        await this.#subscribe(this.#session(command.client), command.filter, command.qos)
        break
      case 'unsubscribe': {
        const { peer, subscriptions } = this.#session(command.client)
        if (peer === undefined) return
        await peer.unsubscribe(`${this.#root}/${command.filter}`)
        subscriptions.delete(command.filter)
        break
      }
      case 'publish':
        await this.#publish(command)
        break
    }
    for (const session of this.#sessions) await this.#receive(session, true)
  }

  /** QoS 0 promises nothing: what was retained by it may be lost in a crash unless this has resolved. */
  async settle(): Promise<void> {
    await this.#publisher.publish(`${this.#root}settled`, 'x', { retain: true, qos: 1 })
    await this.#publisher.publish(`${this.#root}settled`, '', { retain: true, qos: 1 })
  }

  /**
   * The broker is another process now. A message that was on its way may come as a repeated one or not; after a crash
   * one at QoS 1 may come again although it was acknowledged.
   */
  async restarted(crashed: boolean): Promise<void> {
    this.#publisher = await this.#broker.connect()
    for (const session of this.#sessions) {
      session.peer = undefined
      if (!session.kept) session.forget()
      session.waiting = session.waiting.map((message) => ({ ...message, dup: undefined }))
      if (crashed) session.again = new Set(session.acknowledged)
    }
  }

  async end(): Promise<void> {
    for (const session of this.#sessions) await this.#leave(session)
    for (const topic of this.#retained.keys()) {
      await this.#publisher.publish(`${this.#root}/${topic}`, '', { retain: true, qos: 1 })
    }
  }

  #session(at: number): Session {
    const session = this.#sessions[at]
    if (session === undefined) throw new Error(`no client ${at}`)
    return session
  }

  async #connect(at: number, clean: boolean): Promise<void> {
    const session = this.#session(at)
    await this.#leave(session)
    const [peer, connack] = await this.#broker.connack({
      clientId: `${this.#root}c${at}`,
      clean,
      properties: clean ? {} : { sessionExpiryInterval: 600 },
    })
    expect(connack.sessionPresent, `session present of client ${at}`).to.equal(!clean && session.kept)
    if (clean) session.forget()
    session.kept = !clean
    session.peer = peer
  }

  async #leave(session: Session): Promise<void> {
    if (session.peer === undefined) return
    await session.peer.end()
    session.peer = undefined
    if (!session.kept) session.forget()
  }

  async #subscribe(session: Session, filter: string, qos: Qos): Promise<void> {
    const { peer } = session
    if (peer === undefined) return
    const { granted } = await peer.subscribe({ topic: `${this.#root}/${filter}`, qos })
    expect(granted).to.deep.equal([qos])
    session.subscriptions.set(filter, qos)
    for (const [topic, message] of this.#retained) {
      if (!matches(filter.split('/'), topic.split('/'))) continue
      session.waiting.push({ ...message, qos: lower(message.qos, qos), retain: true })
    }
  }

  async #publish({ topic, qos, retain, empty, losing }: Extract<Command, { do: 'publish' }>): Promise<void> {
    const payload = empty ? '' : `${this.#count++}`
    await this.#publisher.publish(`${this.#root}/${topic}`, payload, { qos, retain })
    const message = { topic, payload, qos, retain: false, dup: false }
    if (retain) {
      if (empty) this.#retained.delete(topic)
      else this.#retained.set(topic, message)
    }
    for (const [at, session] of this.#sessions.entries()) {
      const granted = [...session.subscriptions].flatMap(([filter, of]) =>
        matches(filter.split('/'), topic.split('/')) ? [of] : [],
      )
      if (granted.length === 0) continue
      const delivered = lower(qos, granted.includes(2) ? 2 : granted.includes(1) ? 1 : 0)
      if (session.peer === undefined && delivered === 0) continue
      session.waiting.push({ ...message, qos: delivered })
      if (!losing.includes(at) || session.peer === undefined) continue
      await this.#receive(session, false)
      await this.#leave(session)
    }
  }

  /** Everything that waits comes, once, in the order of each topic and QoS, and nothing else. */
  async #receive(session: Session, acknowledge: boolean): Promise<void> {
    const { peer } = session
    if (peer === undefined) return
    const expected = new Expected(session)
    const releasing = new Set<number>()
    const take = (packet: Received): void => {
      const { messageId = 0 } = packet
      if (packet.cmd === 'pubrel') {
        releasing.delete(messageId)
        peer.send({ cmd: 'pubcomp', messageId })
        return
      }
      if (packet.cmd !== 'publish') throw new Error(`got ${packet.cmd}`)
      const { topic, payload, qos, retain, dup } = packet
      const name = topic.slice(this.#root.length + 1)
      expected.take({ topic: name, payload: payload.toString(), qos, retain, dup })
      if (!acknowledge || qos === 0) return
      if (qos === 1) session.acknowledged.add(`${name} ${payload.toString()}`)
      else releasing.add(messageId)
      peer.send(qos === 1 ? { cmd: 'puback', messageId } : { cmd: 'pubrec', messageId })
    }
    while (expected.missing.length > 0 || releasing.size > 0) {
      const packet = await peer.next().catch((error: unknown) => {
        throw new Error(`${String(error)}; missing: ${JSON.stringify(expected.missing)}`)
      })
      if (packet === 'closed') throw new Error('the connection was closed')
      take(packet)
    }
    for (const packet of await peer.drain()) take(packet)
    session.waiting = acknowledge
      ? []
      : session.waiting.filter((message) => message.qos > 0).map((message) => ({ ...message, dup: true }))
  }
}

/** What a session waits for, less what has come. */
class Expected {
  missing: readonly Message[]
  readonly #again: ReadonlySet<string>

  constructor({ waiting, again }: Session) {
    this.missing = waiting
    this.#again = again
  }

  /** Throws if this is not the next message of its topic and QoS. */
  take(message: Message): void {
    const next = this.missing.find(({ topic, qos }) => topic === message.topic && qos === message.qos)
    if (next !== undefined && isSame(next, message)) {
      this.missing = this.missing.filter((other) => other !== next)
      return
    }
    if (message.qos === 1 && this.#again.has(`${message.topic} ${message.payload}`)) return
    throw new Error(`got ${JSON.stringify(message)}, missing: ${JSON.stringify(this.missing)}`)
  }
}

const isSame = (expected: Message, message: Message): boolean =>
  expected.payload === message.payload &&
  expected.retain === message.retain &&
  (expected.dup === undefined || expected.dup === message.dup)
