import { hash } from 'node:crypto'

/** The first 128 bits of SHA-256, for keys whose text may be longer than an engine's keys. */
export function hash128(text: string): Uint8Array {
  return hash('sha256', text, 'buffer').subarray(0, 16)
}
