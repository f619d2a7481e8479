import { expect } from 'chai'
import * as fc from 'fast-check'
import { AckQueue, type PendingAck } from '#broker/ack-queue.ts'

const step = fc.oneof(
  fc.record({
    kind: fc.constant('push' as const),
    first: fc.constantFrom(0x40, 0x50, 0x70),
    ticket: fc.oneof(fc.nat(20), fc.constant(Number.POSITIVE_INFINITY)),
    times: fc.constantFrom(1, 1, 1, 1500),
  }),
  fc.record({ kind: fc.constant('landed' as const), through: fc.nat(25) }),
  fc.record({ kind: fc.constant('known' as const), ticket: fc.nat(20) }),
)

describe('acknowledgements that wait for the disk', () => {
  it('leave in the order of their messages and never before they are durable', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const queue = new AckQueue()
        const model: PendingAck[] = []
        let packetId = 0
        for (const s of steps) {
          if (s.kind === 'push') {
            for (let i = 0; i < s.times; i++) {
              const ack = { first: s.first, packetId: ++packetId, reason: 0, ticket: s.ticket }
              queue.push(ack)
              model.push(ack)
            }
          } else if (s.kind === 'known') {
            // what waits for more than one write learns its ticket later
            const unknown = model.find((ack) => ack.ticket === Number.POSITIVE_INFINITY)
            if (unknown !== undefined) unknown.ticket = s.ticket
          } else {
            while (model.length > 0 && model[0].ticket <= s.through) {
              expect(queue.shift(s.through)).to.equal(model.shift())
            }
            expect(queue.shift(s.through)).to.equal(undefined)
          }
          expect(queue.length).to.equal(model.length)
          expect(queue.pubacks).to.equal(model.filter((ack) => ack.first === 0x40).length)
        }
      }),
    )
  })
})
