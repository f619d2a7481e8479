import { randomBytes } from 'node:crypto'

/** Length of an incarnation in bytes. */
const INCARNATION_BYTES = 16

/** Incarnations remembered in both forms; a week of daily restarts of 20 processes is 140. */
const CACHE_MAX = 4096

const bytesByHex = new Map<string, Buffer>()
const hexByBytes = new Map<string, string>()

/**
 * One run of one process: birth (8 bytes, hybrid clock), number of the DC (1), chance (7). It is the writer of the
 * process's rows and its address on the bus, and is never used again. Compared as bytes or hex: the younger is greater.
 */
export function newIncarnation(birth: number, dcNumber: number, chance: Uint8Array = randomBytes(7)): Buffer {
  if (!Number.isInteger(dcNumber) || dcNumber < 0 || dcNumber > 255)
    throw new RangeError(`number of the DC must be 0 to 255, not ${dcNumber}`)
  const bytes = Buffer.alloc(INCARNATION_BYTES)
  bytes.writeUInt32BE(Math.floor(birth / 2 ** 32), 0)
  bytes.writeUInt32BE(birth % 2 ** 32, 4)
  bytes[8] = dcNumber
  bytes.set(chance.subarray(0, 7), 9)
  return bytes
}

/** Stamp of the hybrid clock at which the process started. */
export function birthOf(incarnation: Uint8Array): number {
  let birth = 0
  for (let i = 0; i < 8; i++) birth = birth * 256 + incarnation[i]
  return birth
}

/** Number of the DC: 0 for streams, which belong to none. */
export function dcOf(incarnation: Uint8Array): number {
  return incarnation[8]
}

/** The 16 bytes of an incarnation in hex; the same Buffer for the same text, so nobody may change it. */
export function incarnationBytes(hex: string): Buffer {
  const known = bytesByHex.get(hex)
  if (known !== undefined) return known
  const bytes = Buffer.from(hex, 'hex')
  if (bytes.length !== INCARNATION_BYTES)
    throw new RangeError(`an incarnation is 32 hexadecimal digits, not ${JSON.stringify(hex)}`)
  remember(bytes, hex.toLowerCase())
  return bytes
}

/** Hex of the incarnation that begins at `offset`. */
export function incarnationHex(bytes: Buffer, offset = 0): string {
  const key = bytes.toString('latin1', offset, offset + INCARNATION_BYTES)
  const known = hexByBytes.get(key)
  if (known !== undefined) return known
  const hex = bytes.toString('hex', offset, offset + INCARNATION_BYTES)
  remember(Buffer.from(hex, 'hex'), hex)
  return hex
}

function remember(bytes: Buffer, hex: string): void {
  // Forgetting all now and then is cheaper than knowing which are in use.
  if (bytesByHex.size >= CACHE_MAX) {
    bytesByHex.clear()
    hexByBytes.clear()
  }
  bytesByHex.set(hex, bytes)
  hexByBytes.set(bytes.toString('latin1'), hex)
}
