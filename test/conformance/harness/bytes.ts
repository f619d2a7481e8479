/**
 * Bytes of packets that a valid encoder refuses to build. Everything here is the plain layout of the specifications
 * (1.5 data representation, 2.1 fixed header) and checks nothing.
 */
type Part = Buffer | readonly number[] | string

const bytes = (part: Part): Buffer => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))

export const concat = (...parts: readonly Part[]): Buffer => Buffer.concat(parts.map(bytes))

/** From `10 00 04` or `100004`. */
export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s+/g, ''), 'hex')

export const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff])

export const u32 = (value: number): Buffer => {
  const buffer = Buffer.alloc(4)
  buffer.writeUInt32BE(value)
  return buffer
}

/** A two-byte length and the bytes: UTF-8 string or binary data. */
export const str = (part: Part): Buffer => {
  const body = bytes(part)
  return concat(u16(body.length), body)
}

/** Variable byte integer in its shortest form. */
export const varint = (value: number): Buffer => {
  const out: number[] = []
  let rest = value
  do {
    const low = rest & 0x7f
    rest >>>= 7
    out.push(rest > 0 ? low | 0x80 : low)
  } while (rest > 0)
  return Buffer.from(out)
}

/** MQTT 5 properties with their length; `props()` is the single byte 0. */
export const props = (...parts: readonly Part[]): Buffer => {
  const body = concat(...parts)
  return concat(varint(body.length), body)
}

/** A control packet: first byte (type and flags), remaining length, then the parts. */
export const frame = (first: number, ...parts: readonly Part[]): Buffer => {
  const body = concat(...parts)
  return concat([first], varint(body.length), body)
}

export interface ConnectBytes {
  readonly protocol?: Part
  readonly level?: number
  readonly flags?: number
  readonly keepAlive?: number
  /** with their length; absent: none for level 4, empty for level 5 */
  readonly properties?: Buffer
  /** client id first, then what the flags promise */
  readonly payload?: readonly Part[]
}

/** A CONNECT, byte by byte. */
export const connectBytes = (version: 4 | 5, part: ConnectBytes): Buffer =>
  frame(
    0x10,
    str(part.protocol ?? 'MQTT'),
    [part.level ?? version, part.flags ?? 0x02],
    u16(part.keepAlive ?? 0),
    part.properties ?? (version === 5 ? props() : []),
    ...(part.payload ?? [str('')]),
  )
