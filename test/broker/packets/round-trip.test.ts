import { expect } from 'chai'
import * as fc from 'fast-check'
import { PacketError, type ProtocolVersion } from '#broker/packets/index.ts'
import { anyPacket } from './arbitraries.ts'
import { decodeBody, decodePacket, encodePacket, headerSize, type Packet } from './packet.ts'

/** A PUBLISH also says where its payload was read; that is not part of its value. */
function withoutPlace(packet: Packet | null): Packet | null {
  return packet?.type === 3 ? { type: 3, value: { ...packet.value, payloadAt: -1 } } : packet
}

/** What a decoder makes of a body, as a value to compare: the packet or the refusal. */
function outcome(first: number, buf: Buffer, from: number, to: number, version: ProtocolVersion): unknown {
  try {
    return withoutPlace(decodeBody(first, buf, from, to, version))
  } catch (error) {
    if (error instanceof PacketError) return { reason: error.reason, clause: error.clause }
    throw error
  }
}

for (const version of [4, 5] as const) {
  describe(`any packet of MQTT ${version}`, () => {
    it('comes back from its bytes as it was', () => {
      fc.assert(
        fc.property(anyPacket(version), (packet) => {
          const encoded = encodePacket(packet, version)
          expect(withoutPlace(decodePacket(encoded, version))).to.deep.equal(packet)
        }),
        { numRuns: 2000 },
      )
    })

    it('is not whole before its last byte, and never an error because bytes are still to come', () => {
      fc.assert(
        fc.property(anyPacket(version), (packet) => {
          const encoded = encodePacket(packet, version)
          for (let end = 0; end < encoded.length; end++) {
            expect(decodePacket(encoded, version, end)).to.equal(null)
          }
        }),
        { numRuns: 200 },
      )
    })

    it('cut short at any byte is decoded or refused, without a look at what follows', () => {
      fc.assert(
        fc.property(anyPacket(version), (packet) => {
          const encoded = encodePacket(packet, version)
          const from = headerSize(encoded)
          for (let to = from; to <= encoded.length; to++) {
            // The same body between other bytes must come to the same.
            const between = [0x00, 0xff].map((fill) => {
              const buf = Buffer.alloc(encoded.length + 64, fill)
              encoded.copy(buf, 32, from, to)
              return outcome(encoded[0], buf, 32, 32 + to - from, version)
            })
            expect(between[0]).to.deep.equal(between[1])
            expect(between[0]).to.deep.equal(outcome(encoded[0], encoded, from, to, version))
          }
        }),
        { numRuns: 150 },
      )
    })
  })
}
