import { Message } from './message.ts'
import { decodeStored, encodeStored } from './stored-message.ts'

/** 4 bytes delay in seconds, then the stored message. */
export function encodeWill(message: Message, delay: number): Buffer {
  const stored = encodeStored(
    { message, qos: message.qos, retain: message.retain, identifiers: null, topic: null },
    null,
  )
  const will = Buffer.allocUnsafe(4 + stored.length)
  will.writeUInt32BE(delay, 0)
  stored.copy(will, 4)
  return will
}

/** Throws if it is of another format. */
export function decodeWill(bytes: Uint8Array): { message: Message; delay: number } {
  const out = decodeStored(bytes.subarray(4))
  const { message } = out
  return {
    message: new Message(message.topic, message.payload, out.qos, out.retain, message.properties, 0),
    delay: Buffer.from(bytes.buffer, bytes.byteOffset, 4).readUInt32BE(0),
  }
}
