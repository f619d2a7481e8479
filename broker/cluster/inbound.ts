import { deliverHere, deliverShared } from '../deliver.ts'
import { countDrop } from '../drops.ts'
import { Message, type Version } from '../message.ts'
import { decodePublish } from '../packets/publish.ts'
import type { Route } from '../router/route.ts'
import type { Session } from '../session.ts'
import type { Space } from '../space.ts'
import { decodeStored } from '../stored-message.ts'
import { parseFilter } from '../topics.ts'
import { sameBytes } from '../topic-entry.ts'
import type { Cell } from './cell.ts'

const NOTHING = Buffer.alloc(0)

/** Messages that other processes have taken, for sessions here to which nothing was promised by a row. */
export class Inbound {
  readonly #cell: Cell
  /** The last run's organisation and topic: many are alike. */
  #org = NOTHING
  #topic = NOTHING
  #name = ''
  #space: Space | null = null
  #route: Route | null = null

  constructor(cell: Cell) {
    this.#cell = cell
  }

  /** MESSAGE. */
  message(body: Buffer): void {
    const { broker } = this.#cell
    const at = 1 + body[0]
    const { message } = decodeStored(body.subarray(at))
    const space = broker.space(body.toString('utf8', 1, at))
    broker.stats.remote.value++
    deliverHere(space.router.route(message.topic), message)
  }

  /** SHARED: one member here gets it; if the last has left, it goes on to another process. */
  shared(body: Buffer): void {
    const { broker } = this.#cell
    const at = 1 + body[0]
    const { message, share } = decodeStored(body.subarray(at))
    const space = broker.space(body.toString('utf8', 1, at))
    const { match, group: name } = parseFilter(share ?? '', null)
    const group = name === null ? undefined : space.router.group(name, match)
    broker.stats.remote.value++
    if (group === undefined) broker.stats.dropped.sessionEnded.value++
    else deliverShared(group, message, null)
  }

  /** RUN: PUBLISH packets of QoS 0, one topic; copied as they came wherever the receiver speaks the same version. */
  run(body: Buffer): void {
    const { broker } = this.#cell
    const version = body[0] as Version
    const start = 2 + body[1]
    if (this.#space === null || !sameBytes(body, 2, start, this.#org)) {
      this.#org = Buffer.from(body.subarray(2, start))
      this.#space = broker.space(this.#org.toString())
      this.#route = null
    }
    const topicAt = topicOffset(body, start)
    const topicEnd = topicAt + body.readUInt16BE(topicAt - 2)
    if (this.#route?.valid !== true || !sameBytes(body, topicAt, topicEnd, this.#topic)) {
      this.#topic = Buffer.from(body.subarray(topicAt, topicEnd))
      this.#name = this.#topic.toString()
      this.#route = this.#space.router.route(this.#name)
    }
    let messages: Message[] | null = null
    const n = countPackets(body, start)
    broker.stats.remote.value += n
    for (const target of this.#route.targets) {
      const { session } = target
      if (session.kind !== 'here') continue
      const to = session.connection
      if (to === null) {
        broker.stats.dropped.offline.value += n
        countDrop(session as Session, 'qos0_offline', n)
      } else if (target.plain && to.simple && to.version === version && !to.traced) {
        if (to.choked) {
          broker.stats.dropped.slow.value += n
          countDrop(to.session, 'slow_receiver', n)
        } else {
          to.push(body, start, body.length)
          broker.stats.sent.value += n
        }
      } else {
        messages ??= parse(body, start, version)
        for (const message of messages) deliverHere(this.#only(target), message)
      }
    }
  }

  #only(target: Route['targets'][number]): Route {
    return { targets: [target] } as unknown as Route
  }
}

/** Where the topic of the packet at `at` begins. */
function topicOffset(d: Buffer, at: number): number {
  let p = at + 1
  while (d[p] > 127) p++
  return p + 3
}

function countPackets(d: Buffer, start: number): number {
  let n = 0
  for (let p = start; p < d.length; n++) p = packetEnd(d, p)
  return n
}

function packetEnd(d: Buffer, at: number): number {
  let p = at + 1
  let length = 0
  for (let m = 1; ; m *= 128) {
    const byte = d[p++]
    length += (byte & 127) * m
    if (byte < 128) return p + length
  }
}

function parse(d: Buffer, start: number, version: Version): Message[] {
  const messages: Message[] = []
  for (let p = start; p < d.length; ) {
    const end = packetEnd(d, p)
    const body = topicOffset(d, p) - 2
    const { topic, payload, properties } = decodePublish(0, d, body, end, version)
    messages.push(new Message(topic, payload, 0, false, properties, 0))
    p = end
  }
  return messages
}
