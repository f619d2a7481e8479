import { expect } from 'chai'
import * as fc from 'fast-check'
import { Message } from '#broker/message.ts'
import { noProperties, type Properties } from '#broker/packets/index.ts'
import { RetainedMessages } from '#broker/retained.ts'
import { TestBroker, texts } from './harness.ts'
import { filter, naiveMatch, topic } from './router/arbitraries.ts'

const MESSAGES = 6
const BYTES = 200

const change = fc.record({
  topic,
  /** 0 deletes. */
  size: fc.constantFrom(0, 1, 10, 60),
  property: fc.constantFrom('', 'p'.repeat(50)),
  /** Seconds; 0: never. */
  expiry: fc.constantFrom(0, 0, 3),
})

describe('retained messages', () => {
  it('are those that a list of all topics would give, within the limits; expired ones make room and never come', async () => {
    const t = await TestBroker.start({ mqtt: { max_retained_messages: MESSAGES, max_retained_bytes: BYTES } })
    let n = 0
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 40 }),
        fc.array(filter, { minLength: 1, maxLength: 5 }),
        (changes, filters) => {
          const retained = new RetainedMessages(t.broker.space(`org${n++}`))
          const model = new Map<string, Message>()
          const alive = (): Message[] =>
            [...model.values()].filter((m) => m.expiresAt === 0 || m.expiresAt > t.broker.now)
          const bytes = (m: Message): number =>
            m.topic.length + m.payload.length + (m.properties === noProperties ? 0 : 50 + 5)
          for (const c of changes) {
            t.clock.advance(1001)
            const properties: Properties =
              c.property === '' ? noProperties : { userProperties: [['', c.property]] }
            const expiresAt = c.expiry === 0 ? 0 : t.broker.now + c.expiry * 1000
            const message = new Message(c.topic, Buffer.alloc(c.size, 'x'), 0, true, properties, expiresAt)
            const others = alive().filter((m) => m.topic !== c.topic)
            const room =
              c.size === 0 ||
              (others.length < MESSAGES && others.reduce((sum, m) => sum + bytes(m), bytes(message)) <= BYTES)
            // what has expired may still be counted, as long as it makes room when it is needed
            expect(retained.full(message)).to.equal(!room)
            if (!room) continue
            retained.set(message)
            if (c.size === 0) model.delete(c.topic)
            else model.set(c.topic, message)
            expect(retained.count).to.be.at.most(MESSAGES)
            expect(retained.bytes).to.be.at.most(BYTES)
            for (const f of filters) {
              const wanted = alive().filter((m) => naiveMatch(f, m.topic))
              expect(retained.match(f).map((m) => [m.topic, m.payload.length])).to.have.deep.members(
                wanted.map((m) => [m.topic, m.payload.length]),
              )
            }
          }
          for (const name of model.keys()) retained.set(new Message(name, Buffer.alloc(0), 0, true))
          expect([retained.count, retained.bytes, retained.match('#').length]).to.deep.equal([0, 0, 0])
        },
      ),
      { numRuns: 150 },
    )
    await t.stop()
  })

  it('have a bound on the levels of their topics: a few long topics do not fill the memory', async () => {
    const t = await TestBroker.start()
    const retained = new RetainedMessages(t.broker.space('org'), 100)
    const message = (name: string): Message => new Message(name, Buffer.of(1), 0, true)
    for (let i = 0; i < 3; i++) retained.set(message(`${i}${'/a'.repeat(29)}`))
    expect(retained.full(message(`3${'/a'.repeat(29)}`))).to.equal(true)
    expect(retained.full(message('short'))).to.equal(false)
    retained.set(new Message(`0${'/a'.repeat(29)}`, Buffer.alloc(0), 0, true))
    expect(retained.full(message(`3${'/a'.repeat(29)}`))).to.equal(false)
    await t.stop()
  })

  it('survive the process, with what remains of their expiry; deleted and expired ones do not come back', async () => {
    let t = await TestBroker.start()
    const { store, clock } = t
    const publisher = await t.connect('publisher')
    const retain = (name: string, payload: string, expiry?: number): Promise<number> =>
      publisher.publishAcknowledged(name, payload, {
        retain: true,
        properties: expiry === undefined ? {} : { messageExpiryInterval: expiry },
      })
    await retain('kept', 'old')
    await retain('kept', 'new')
    await retain('deleted', 'x')
    await retain('deleted', '')
    await retain('short', 'x', 10)
    await retain('long', 'y', 100)
    t.crash()
    clock.advance(20_000)
    t = await TestBroker.start({}, { store, clock })
    const reader = await t.connect('reader')
    await reader.subscribe('#')
    const messages = await reader.messages()
    expect(texts(messages).toSorted()).to.deep.equal(['new', 'y'])
    expect(messages.find((m) => m.topic === 'long')?.properties.messageExpiryInterval).to.equal(80)
    expect(messages.every((m) => m.retain)).to.equal(true)
    await t.stop()
  })

  it('beyond the limit are refused with 0x97 and counted; deleting and replacing still works', async () => {
    const t = await TestBroker.start({ mqtt: { max_retained_messages: 1 } })
    const client = await t.connect('client')
    const retain = (name: string, payload: string): Promise<number> =>
      client.publishAcknowledged(name, payload, { retain: true })
    expect(await retain('a', '1')).to.equal(0)
    expect(await retain('b', '1')).to.equal(0x97)
    expect(await retain('a', '2')).to.equal(0)
    expect(await retain('a', '')).to.equal(0)
    expect(await retain('b', '1')).to.equal(0)
    expect(t.count('cinque_mqtt_dropped_messages_total{reason="retained_limit"}')).to.equal(1)
    await t.stop()
  })

  it('of one organisation are not seen in another', async () => {
    const t = await TestBroker.start()
    t.broker.space('one').retained.set(new Message('secret', Buffer.of(1), 0, true))
    expect(t.broker.space('two').retained.match('#')).to.deep.equal([])
    await t.stop()
  })
})
