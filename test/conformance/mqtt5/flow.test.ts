import { expect } from 'chai'
import { array, assert, asyncProperty, constant, integer, nat, oneof, record } from 'fast-check'
import type { Received } from '../harness/client.ts'
import { fresh } from '../harness/fresh.ts'
import type { Peer } from '../harness/peer.ts'
import { type BrokerUnderTest, suite } from '../harness/suite.ts'

type Step =
  | { readonly do: 'publish'; readonly count: number; readonly qos: 1 | 2 }
  | { readonly do: 'answer'; readonly which: number }
  | { readonly do: 'reconnect'; readonly receiveMaximum: number }

const step = oneof(
  {
    weight: 3,
    arbitrary: record({
      do: constant<'publish'>('publish'),
      count: integer({ min: 1, max: 5 }),
      qos: oneof(constant<1>(1), constant<2>(2)),
    }),
  },
  { weight: 6, arbitrary: record({ do: constant<'answer'>('answer'), which: nat(20) }) },
  {
    weight: 1,
    arbitrary: record({
      do: constant<'reconnect'>('reconnect'),
      receiveMaximum: integer({ min: 1, max: 6 }),
    }),
  },
)

/** A delivery that the client has not completed. */
interface Delivery {
  readonly id: number
  readonly payload: string
  readonly qos: number
  /** PUBREC was sent: PUBREL is due, or has come. */
  received: boolean
  released: boolean
  /** came, or came again, in this connection */
  here: boolean
}

/** A client that answers in any order, and checks what it is entitled to. */
class Receiver {
  peer: Peer
  receiveMaximum: number
  readonly topic: string
  readonly deliveries: Delivery[] = []
  readonly seen: Record<number, string[]> = { 1: [], 2: [] }
  /** in the order in which they came: what has to come again first */
  #again: Delivery[] = []

  constructor(peer: Peer, topic: string, receiveMaximum: number) {
    this.peer = peer
    this.topic = topic
    this.receiveMaximum = receiveMaximum
  }

  take(packet: Received): void {
    if (packet.cmd === 'pubrel') {
      const delivery = this.deliveries.find(({ id }) => id === packet.messageId)
      expect(delivery?.received, `PUBREL of ${packet.messageId}`).to.equal(true)
      if (delivery !== undefined) delivery.released = true
      return
    }
    if (packet.cmd !== 'publish') throw new Error(`got ${packet.cmd}`)
    const { messageId: id = 0, qos, dup } = packet
    const payload = packet.payload.toString()
    const again = this.#again.shift()
    if (again === undefined) {
      // DUP may be 1: the broker may have set out to send it when the last connection ended.
      expect(this.deliveries.map((other) => other.id)).to.not.include(id)
      this.seen[qos]?.push(payload)
      this.deliveries.push({ id, payload, qos, received: false, released: false, here: true })
    } else {
      expect([dup, id, payload, qos]).to.deep.equal([true, again.id, again.payload, again.qos])
      again.here = true
    }
    expect(this.deliveries.filter(({ here }) => here).length).to.be.at.most(this.receiveMaximum)
  }

  /** The next answer to one delivery; false if the broker is to move. */
  answer(which: number): boolean {
    const ready = this.deliveries.filter(({ here, received, released }) => released || (here && !received))
    const delivery = ready[which % Math.max(1, ready.length)]
    if (delivery === undefined) return false
    const { id: messageId } = delivery
    if (delivery.qos === 2 && !delivery.received) {
      delivery.received = true
      this.peer.send({ cmd: 'pubrec', messageId })
      return true
    }
    this.peer.send(delivery.qos === 1 ? { cmd: 'puback', messageId } : { cmd: 'pubcomp', messageId })
    this.deliveries.splice(this.deliveries.indexOf(delivery), 1)
    return true
  }

  reconnected(peer: Peer, receiveMaximum: number): void {
    this.peer = peer
    this.receiveMaximum = receiveMaximum
    this.#again = this.deliveries.filter(({ received }) => !received)
    for (const delivery of this.deliveries) {
      delivery.here = false
      delivery.released = false
    }
  }
}

const run = async (broker: BrokerUnderTest, steps: readonly Step[]): Promise<void> => {
  const topic = fresh('t')
  const connect = (receiveMaximum: number): Promise<Peer> =>
    broker.connect({
      clientId: topic,
      clean: false,
      properties: { sessionExpiryInterval: 600, receiveMaximum },
    })
  const receiver = new Receiver(await connect(3), topic, 3)
  await receiver.peer.subscribe({ topic, qos: 2 })
  const publisher = await broker.connect()
  const sent: Record<number, string[]> = { 1: [], 2: [] }
  for (const one of steps) {
    if (one.do === 'answer') receiver.answer(one.which)
    else if (one.do === 'reconnect') {
      for (const packet of await receiver.peer.drain()) receiver.take(packet)
      await leave(receiver)
      receiver.reconnected(await connect(one.receiveMaximum), one.receiveMaximum)
    } else {
      for (let n = 0; n < one.count; n++) {
        const payload = `${(sent[1]?.length ?? 0) + (sent[2]?.length ?? 0)}`
        await publisher.publish(topic, payload, { qos: one.qos })
        sent[one.qos]?.push(payload)
      }
    }
    for (const packet of await receiver.peer.drain()) receiver.take(packet)
  }
  const complete = (): boolean =>
    receiver.deliveries.length === 0 &&
    [1, 2].every((qos) => receiver.seen[qos]?.length === sent[qos]?.length)
  while (!complete()) {
    if (receiver.answer(0)) continue
    const packet = await receiver.peer.next().catch((error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify([receiver.deliveries, receiver.seen, sent])}`)
    })
    if (packet === 'closed') throw new Error('the connection was closed')
    receiver.take(packet)
  }
  expect(receiver.seen).to.deep.equal(sent)
  await receiver.peer.expectNothing()
  await receiver.peer.end()
}

/** Says DISCONNECT; what the broker had sent meanwhile counts. */
const leave = async (receiver: Receiver): Promise<void> => {
  receiver.peer.send({ cmd: 'disconnect' })
  for (let event = await receiver.peer.next(); event !== 'closed'; event = await receiver.peer.next()) {
    receiver.take(event)
  }
}

suite('5.0', '4.9 flow control, random sequences', {}, ({ broker, conforms }) => {
  conforms(
    [
      'MQTT-3.3.4-9',
      'MQTT-4.9.0-2',
      'MQTT-4.4.0-1',
      'MQTT-3.3.1-1',
      'MQTT-4.6.0-5',
      'MQTT-4.3.3-5',
      'MQTT-4.3.3-6',
      'MQTT-2.2.1-4',
    ],
    'answers in any order and reconnects with any receive maximum: the window holds, all comes, once and in order',
    async () => {
      await assert(
        asyncProperty(array(step, { minLength: 20, maxLength: 60 }), (steps) => run(broker, steps)),
        { numRuns: 60, seed: 5 },
      )
    },
  )
})
