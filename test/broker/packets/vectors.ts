import { expect } from 'chai'
import { PacketError, type ProtocolVersion } from '#broker/packets/index.ts'
import { bytes } from './hex.ts'
import { decodePacket, encodePacket } from './packet.ts'

/** A packet that is accepted: what it says, the version, its bytes, its value. */
export type Valid = [title: string, version: ProtocolVersion, packet: string, value: object | null]

/** A packet that is refused: what is wrong, the version, its bytes, reason code and clause of the refusal. */
export type Refused = [
  title: string,
  version: ProtocolVersion,
  packet: string,
  reason: number,
  clause: string,
]

/** Each packet decodes to its value, and the value encodes to the same bytes. */
export function accepts(vectors: Valid[]): void {
  for (const [title, version, packet, value] of vectors) {
    it(`takes ${title} (MQTT ${version})`, () => {
      const decoded = decodePacket(bytes(packet), version)
      if (decoded === null) throw new Error('the vector is no whole packet')
      expect(decoded.value).to.deep.equal(value)
      expect(encodePacket(decoded, version).toString('hex')).to.equal(bytes(packet).toString('hex'))
    })
  }
}

/** Each packet decodes to its value, but the encoder would write it otherwise (longer form than needed). */
export function acceptsOnly(vectors: Valid[]): void {
  for (const [title, version, packet, value] of vectors) {
    it(`takes ${title} (MQTT ${version})`, () => {
      expect(decodePacket(bytes(packet), version)?.value).to.deep.equal(value)
    })
  }
}

/** Each packet is refused with the reason code and the clause that the specification gives. */
export function refuses(vectors: Refused[]): void {
  for (const [title, version, packet, reason, clause] of vectors) {
    it(`refuses ${title} (MQTT ${version}) [${clause}]`, () => {
      const error = errorOf(() => decodePacket(bytes(packet), version))
      expect({ reason: error.reason, clause: error.clause }).to.deep.equal({ reason, clause })
    })
  }
}

/** The PacketError that `decode` throws; whatever else happens fails the test. */
export function errorOf(decode: () => unknown): PacketError {
  try {
    decode()
  } catch (error) {
    if (error instanceof PacketError) return error
    throw error
  }
  throw new Error('the packet was accepted')
}
