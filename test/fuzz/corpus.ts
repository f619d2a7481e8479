import { sample } from 'fast-check'
import type { ProtocolVersion } from '#broker/packets/index.ts'
import { anyPacket } from '../broker/packets/arbitraries.ts'
import { encodePacket } from '../broker/packets/packet.ts'

/** Valid packets of a version, of all types, to begin from. The same seed gives the same. */
export function corpus(version: ProtocolVersion, count: number, seed: number): Buffer[] {
  return sample(anyPacket(version), { numRuns: count, seed }).map((packet) => encodePacket(packet, version))
}
