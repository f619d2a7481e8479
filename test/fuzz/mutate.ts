import type { Random } from './random.ts'

/** Values at which formats change: empty, sign and continuation bits, wildcards, UTF-8 lead bytes. */
const INTERESTING = [
  0x00, 0x01, 0x02, 0x03, 0x04, 0x0b, 0x1f, 0x23, 0x26, 0x2b, 0x2f, 0x7f, 0x80, 0x81, 0xc0, 0xc2, 0xed, 0xf4,
  0xfe, 0xff,
]

type Mutation = (input: Buffer, random: Random, other: Buffer) => Buffer

const flipBit: Mutation = (input, random) => {
  const out = Buffer.from(input)
  out[random.below(out.length)] ^= 1 << random.below(8)
  return out
}

const setByte: Mutation = (input, random) => {
  const out = Buffer.from(input)
  out[random.below(out.length)] = random.oneIn(3) ? random.below(256) : random.pick(INTERESTING)
  return out
}

/** A length field that lies: too short, too long, or the longest there is. */
const setLength: Mutation = (input, random) => {
  const out = Buffer.from(input)
  const at = random.below(Math.max(1, out.length - 1))
  out[at] = random.pick([0x00, 0x00, 0x7f, 0xff])
  if (at + 1 < out.length)
    out[at + 1] = random.pick([0x00, 0x01, 0x7f, 0xff, out[at + 1] + 1, out[at + 1] - 1])
  return out
}

const insert: Mutation = (input, random) => {
  const at = random.below(input.length + 1)
  const added = Buffer.from(Array.from({ length: 1 + random.below(8) }, () => random.pick(INTERESTING)))
  return Buffer.concat([input.subarray(0, at), added, input.subarray(at)])
}

const remove: Mutation = (input, random) => {
  const at = random.below(input.length)
  return Buffer.concat([input.subarray(0, at), input.subarray(at + 1 + random.below(8))])
}

const repeat: Mutation = (input, random) => {
  const from = random.below(input.length)
  const to = Math.min(input.length, from + 1 + random.below(32))
  return Buffer.concat([input.subarray(0, to), input.subarray(from, to), input.subarray(to)])
}

const cut: Mutation = (input, random) => input.subarray(0, 1 + random.below(input.length))

/** The head of one packet with the tail of another: fields in wrong places. */
const splice: Mutation = (input, random, other) =>
  Buffer.concat([
    input.subarray(0, 1 + random.below(input.length)),
    other.subarray(random.below(other.length)),
  ])

const MUTATIONS = [flipBit, setByte, setByte, setLength, insert, remove, repeat, cut, splice]

/**
 * A packet made wrong in one to four places. Mostly with a remaining length that fits again, since otherwise few
 * would get past the fixed header.
 */
export function mutate(packet: Buffer, random: Random, other: Buffer): Buffer {
  let out = packet
  for (let i = random.below(4); i >= 0; i--) {
    if (out.length > 0) out = random.pick(MUTATIONS)(out, random, other)
  }
  return random.oneIn(5) ? Buffer.from(out) : withFittingLength(out)
}

function withFittingLength(packet: Buffer): Buffer {
  let at = 1
  while (at < packet.length && at < 4 && packet[at] >= 0x80) at++
  const body = packet.subarray(at + 1)
  const header = [packet[0] ?? 0]
  let length = body.length
  do {
    header.push(length > 0x7f ? (length & 0x7f) | 0x80 : length)
    length >>>= 7
  } while (length > 0)
  return Buffer.concat([Buffer.from(header), body])
}
