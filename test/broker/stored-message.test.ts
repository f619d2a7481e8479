import { expect } from 'chai'
import * as fc from 'fast-check'
import { Message, type Outgoing } from '#broker/message.ts'
import { decodeStored, encodeStored } from '#broker/stored-message.ts'

const properties = fc.record(
  {
    payloadFormatIndicator: fc.constantFrom(0, 1),
    messageExpiryInterval: fc.nat(1000),
    contentType: fc.string({ maxLength: 5 }).filter((s) => !s.includes('\0')),
    responseTopic: fc.constantFrom('a', 'b/c'),
    correlationData: fc.uint8Array({ maxLength: 5 }).map((b) => Buffer.from(b)),
    userProperties: fc.array(fc.tuple(fc.constantFrom('k', 'é'), fc.constantFrom('', 'v')), {
      minLength: 1,
      maxLength: 3,
    }),
  },
  { requiredKeys: [] },
)

const outgoing = fc.record({
  topic: fc.constantFrom('a', 'a/b', '', '/é/ü').filter((t) => t !== ''),
  payload: fc.uint8Array({ maxLength: 300 }),
  properties,
  expiresAt: fc.constantFrom(0, 1_900_000_000_123),
  qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
  retain: fc.boolean(),
  identifiers: fc.option(fc.array(fc.integer({ min: 1, max: 268_435_455 }), { minLength: 1, maxLength: 4 })),
  told: fc.option(fc.constantFrom('v1/devices/me/x')),
  share: fc.option(fc.constantFrom('$share/g/a/+', '$share/é/#')),
})

describe('a message on disk', () => {
  it('comes back as it would have been sent, with its share group', () => {
    fc.assert(
      fc.property(outgoing, (o) => {
        const message = new Message(
          o.topic,
          Buffer.from(o.payload),
          o.qos,
          o.retain,
          o.properties,
          o.expiresAt,
        )
        const out: Outgoing = {
          message,
          qos: o.qos,
          retain: o.retain,
          identifiers: o.identifiers,
          topic: o.told,
        }
        const back = decodeStored(encodeStored(out, o.share))
        expect(back.share).to.equal(o.share)
        expect([back.qos, back.retain, back.identifiers]).to.deep.equal([o.qos, o.retain, o.identifiers])
        expect(back.message.topic).to.equal(o.told ?? o.topic)
        expect(back.message.payload.equals(o.payload)).to.equal(true)
        expect(back.message.properties).to.deep.equal(o.properties)
        expect(back.message.expiresAt).to.equal(o.expiresAt)
      }),
    )
  })

  it('of a newer version is refused, not misread', () => {
    const stored = encodeStored(
      {
        message: new Message('a', Buffer.of(1), 1, false),
        qos: 1,
        retain: false,
        identifiers: null,
        topic: null,
      },
      null,
    )
    stored[0] = 9
    expect(() => decodeStored(stored)).to.throw('format 9')
  })
})
