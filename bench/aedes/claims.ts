import { setTimeout as delay } from 'node:timers/promises'
import { withDirectory } from '../clean-up.ts'
import { DENIED, type Live, type Subject } from './subjects.ts'
import { Wire } from './wire.ts'

/** One thing a broker does or does not do; the answer is a short sentence from what was observed on the wire. */
export interface Claim {
  readonly question: string
  ask(subject: Subject): Promise<string>
}

async function withBroker(
  subject: Subject,
  ask: (live: Live) => Promise<string>,
  stallStore = false,
): Promise<string> {
  return withDirectory(async (directory) => {
    const live = await subject.start({ directory, stallStore })
    try {
      return await ask(live)
    } finally {
      await live.stop()
    }
  })
}

const mqtt5: Claim = {
  question: 'CONNECT in MQTT 5',
  ask: (subject) =>
    withBroker(subject, async ({ port }) => {
      const wire = await Wire.open(port, 'five', { version: 5 })
      // a refusal may be written as 3.1.1, which a parser for MQTT 5 does not read
      const raw = await firstBytes(wire)
      await wire.leave()
      if (raw === null) return 'closed without CONNACK'
      return raw[3] === 0 ? 'accepted' : `refused with code ${raw[3] ?? '?'}`
    }),
}

async function firstBytes(wire: Wire): Promise<Buffer | null> {
  return new Promise((resolve) => {
    wire.socket.once('data', resolve)
    wire.socket.once('close', () => resolve(null))
  })
}

/** A durable session is offline, and the store that should keep a message for it never answers. */
const acknowledgement: Claim = {
  question: 'PUBACK while the store has not answered',
  ask: async (subject) => {
    if (!subject.canStallStore) return 'not asked here'
    return withBroker(
      subject,
      async ({ port }) => {
        const away = await Wire.open(port, 'away', { clean: false })
        await away.next('connack')
        away.subscribe({ topic: 'kept', qos: 1 })
        await away.next('suback')
        await away.leave()
        const publisher = await Wire.open(port, 'publisher')
        await publisher.next('connack')
        publisher.publish('kept', 'promise', 1)
        const puback = await publisher.next('puback')
        await publisher.leave()
        return puback === null ? 'withheld' : 'sent, though nothing is stored'
      },
      true,
    )
  },
}

/** One SUBSCRIBE asks for an allowed and a denied topic; what comes for the denied one while the client is away? */
const mixedSubscribe: Claim = {
  question: 'durable session, SUBSCRIBE [allowed, denied]: the denied topic',
  ask: (subject) =>
    withBroker(subject, async ({ port }) => {
      const reader = await Wire.open(port, 'reader', { clean: false })
      await reader.next('connack')
      reader.subscribe({ topic: 'open', qos: 1 }, { topic: DENIED, qos: 1 })
      const granted = (await reader.next('suback'))?.granted ?? []
      await reader.leave()
      const publisher = await Wire.open(port, 'publisher')
      await publisher.next('connack')
      publisher.publish(DENIED, 'for other eyes', 1)
      await publisher.next('puback')
      await publisher.leave()
      const back = await Wire.open(port, 'reader', { clean: false })
      const message = await back.next('publish', 1000)
      await back.leave()
      const said = `SUBACK ${granted.map((code) => `0x${Number(code).toString(16).padStart(2, '0')}`).join(' ')}`
      return message === null ? `${said}, nothing delivered` : `${said}, but ${message.topic} delivered`
    }),
}

const MEGABYTE = 1_048_576
const bigPacket: Claim = {
  question: 'PUBLISH of 64 MB, default configuration',
  ask: (subject) =>
    withBroker(subject, async (live) => {
      const wire = await Wire.open(live.port, 'big')
      await wire.next('connack')
      wire.publish('big', Buffer.alloc(64 * MEGABYTE), 1)
      const puback = await wire.next('puback', 20_000)
      await wire.leave()
      const end = live.ended()
      if (end !== null) return `broker died: ${end}`
      return puback === null ? 'refused' : 'accepted'
    }),
}

/**
 * A subscriber that stops reading holds up deliveries; meanwhile one publisher sends many tiny messages that nobody
 * subscribes to. When the subscriber goes on, they are all released at once.
 */
const recursion: Claim = {
  question: 'one reader stops, 200 k tiny messages without a subscriber, the reader goes on',
  ask: (subject) =>
    withBroker(subject, async (live) => {
      const { port } = live
      const reader = await Wire.open(port, 'slow')
      await reader.next('connack')
      reader.subscribe({ topic: 'slow', qos: 0 })
      await reader.next('suback')
      reader.socket.pause()
      const publisher = await Wire.open(port, 'flood')
      await publisher.next('connack')
      const chunk = Buffer.alloc(65_536)
      for (let i = 0; i < 400; i++) publisher.publish('slow', chunk)
      await delay(500)
      const tiny = Buffer.from([0x30, 4, 0, 1, 0x61, 0x62])
      const others = await Promise.all([0, 1, 2, 3].map((i) => Wire.open(port, `other${i}`)))
      for (const other of others) {
        await other.next('connack')
        other.socket.write(Buffer.concat(Array.from({ length: 50_000 }, () => tiny)))
      }
      await delay(1000)
      reader.socket.resume()
      for (let i = 0; i < 30 && live.ended() === null; i++) await delay(100)
      const end = live.ended()
      for (const wire of [reader, publisher, ...others]) wire.socket.destroy()
      return end === null ? 'still serves' : `broker died: ${end}`
    }),
}

export const claims: readonly Claim[] = [mqtt5, acknowledgement, mixedSubscribe, bigPacket, recursion]
