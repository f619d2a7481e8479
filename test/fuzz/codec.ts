import { isDeepStrictEqual } from 'node:util'
import {
  isValidTopicBytes,
  isValidTopicName,
  PacketError,
  readString,
  type ProtocolVersion,
} from '#broker/packets/index.ts'
import { decodeBody, decodePacket, encodePacket, type Packet } from '../broker/packets/packet.ts'

/** What a decoder made of its input: a value, null for «more bytes needed», or a refusal. */
type Outcome = { packet: Packet | null } | { reason: number; clause: string }

function attempt(decode: () => Packet | null): Outcome {
  try {
    const packet = decode()
    if (packet?.type === 3) packet.value.payloadAt = 0 // where it was read is no part of its value
    return { packet }
  } catch (error) {
    if (error instanceof PacketError) return { reason: error.reason, clause: error.clause }
    throw error
  }
}

/** Characters, bytes and list entries of a decoded value: what it costs to hold it. */
function weight(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (value instanceof Uint8Array) return value.length
  if (Array.isArray(value)) return value.reduce<number>((sum, one) => sum + 1 + weight(one), 0)
  if (typeof value !== 'object' || value === null) return 0
  return Object.values(value).reduce<number>((sum, one) => sum + weight(one), 0)
}

/**
 * Gives `input` to every decoder, as a packet with its own fixed header and as the body of each type. Throws unless
 * each of them returns or throws PacketError; looks at no byte outside; returns no more than it was given; and
 * returns a value that is the same after it has been encoded and decoded again.
 */
export function checkDecoders(input: Buffer): void {
  const framed = ['00', 'ff'].map((fill) => {
    const buf = Buffer.alloc(input.length + 16, fill, 'hex')
    input.copy(buf, 8)
    return buf
  })
  for (const version of [4, 5] as const) {
    check(input, version, () => attempt(() => decodePacket(input, version)))
    for (let type = 1; type <= 15; type++) {
      const first = (type << 4) | (input.length & 15)
      const outcomes = framed.map((buf) =>
        attempt(() => decodeBody(first, buf, 8, 8 + input.length, version)),
      )
      if (!isDeepStrictEqual(outcomes[0], outcomes[1])) {
        throw new Error(`the decoder of type ${type} looks at bytes outside its packet`)
      }
      check(input, version, () => outcomes[0])
    }
  }
  checkTopic(input)
}

function check(input: Buffer, version: ProtocolVersion, run: () => Outcome): void {
  const outcome = run()
  if ('reason' in outcome) {
    if (outcome.reason < 0x80 || outcome.clause === '') throw new Error('a refusal without reason or clause')
    return
  }
  const { packet } = outcome
  if (packet === null) return
  const size = weight(packet.value)
  if (size > 2 * input.length) throw new Error(`${size} decoded out of ${input.length} bytes`)
  const encoded = encodePacket(packet, version)
  const again = attempt(() => decodePacket(encoded, version))
  if (!isDeepStrictEqual(again, outcome)) {
    throw new Error(`type ${packet.type} does not come back from ${encoded.toString('hex')}`)
  }
}

/** The check of topics on raw bytes, which the data path uses, must agree with the one on strings. */
function checkTopic(input: Buffer): void {
  let expected: boolean
  try {
    expected = isValidTopicName(readString(input, 0, input.length))
  } catch {
    expected = false
  }
  if (isValidTopicBytes(input, 0, input.length) !== expected) throw new Error('isValidTopicBytes disagrees')
}
