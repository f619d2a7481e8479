import { Message, type Outgoing, type Qos } from './message.ts'
import { decodePublish, encodePublish } from './packets/publish.ts'

/**
 * A message as it is kept on disk: 1 byte format, 1 byte flags, 8 bytes expiry (milliseconds since 1970, 0: never),
 * 2 bytes length and name of the share group and filter (0: none), then an MQTT 5 PUBLISH body. Version 1; a reader
 * refuses others.
 */
const FORMAT = 1
const RETAIN = 4

export interface StoredMessage extends Outgoing {
  /** `$share/{group}/{filter}` it came by, null: not shared. */
  readonly share: string | null
}

export function encodeStored(out: Outgoing, share: string | null): Buffer {
  const { message } = out
  const properties =
    out.identifiers === null
      ? message.properties
      : { ...message.properties, subscriptionIdentifiers: [...out.identifiers] }
  const packet = encodePublish(
    {
      topic: out.topic ?? message.topic,
      packetId: 0,
      qos: 0,
      retain: false,
      dup: false,
      payload: message.payload,
      properties,
    },
    5,
  )
  let body = 1
  while (packet[body] > 127) body++
  body++
  const shareBytes = share === null ? 0 : Buffer.byteLength(share)
  const stored = Buffer.allocUnsafe(12 + shareBytes + packet.length - body)
  stored[0] = FORMAT
  stored[1] = out.qos | (out.retain ? RETAIN : 0)
  stored.writeDoubleBE(message.expiresAt, 2)
  stored.writeUInt16BE(shareBytes, 10)
  if (share !== null) stored.write(share, 12)
  packet.copy(stored, 12 + shareBytes, body)
  return stored
}

export function decodeStored(bytes: Uint8Array): StoredMessage {
  const stored = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (stored[0] !== FORMAT)
    throw new Error(`stored message of format ${stored[0]}, this version reads ${FORMAT}`)
  const shareBytes = stored.readUInt16BE(10)
  const { topic, payload, properties } = decodePublish(0, stored, 12 + shareBytes, stored.length, 5)
  const qos = (stored[1] & 3) as Qos
  const retain = (stored[1] & RETAIN) !== 0
  const { subscriptionIdentifiers, ...rest } = properties
  return {
    message: new Message(topic, payload, qos, retain, rest, stored.readDoubleBE(2)),
    qos,
    retain,
    identifiers: subscriptionIdentifiers ?? null,
    topic: null,
    share: shareBytes === 0 ? null : stored.toString('utf8', 12, 12 + shareBytes),
  }
}
