import { hash128 } from '#platform/hash.ts'
import type { Session } from '../session.ts'

/**
 * Writer of the QoS 2 messages that a session published under an epoch. Writers sort by the time of their birth, those
 * of processes too, so that what a publisher sent over several connections is read back in order.
 */
export function streamWriter(session: Session, epoch: number): Uint8Array {
  return writer(epoch, `stream\0${Buffer.from(session.sid).toString('hex')}`)
}

/** The writer of the will of a session's connection: whoever publishes it, it is one message. */
export function willStream(sid: Uint8Array, epoch: number): Uint8Array {
  return writer(epoch, `will\0${Buffer.from(sid).toString('hex')}`)
}

/** The writer of the copies that a shared group gets of a stream: a session may get one beside its own, and two groups two. */
export function sharedWriter(stream: Uint8Array, share: string): Uint8Array {
  const bytes = Buffer.from(stream)
  return writer(Number(bytes.readBigUInt64BE()), `${bytes.toString('hex')}\0${share}`)
}

/** Whether rows of this writer are a stream's, not a process's. */
export function isStream(bytes: Uint8Array): boolean {
  return bytes[8] === 0
}

/** What the streams of one publisher's session have in common, whatever connection they are of. */
export function publisherOf(stream: Uint8Array): string {
  return Buffer.from(stream.buffer, stream.byteOffset + 9, 7).toString('latin1')
}

function writer(birth: number, name: string): Uint8Array {
  const bytes = Buffer.alloc(16)
  bytes.writeBigUInt64BE(BigInt(birth))
  // The byte of the DC stays 0: a stream belongs to none.
  bytes.set(hash128(name).subarray(0, 7), 9)
  return bytes
}
