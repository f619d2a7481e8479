import { encodePublish } from './packets/publish.ts'
import { noProperties, propertiesSize, type Properties } from './packets/properties.ts'

export type Qos = 0 | 1 | 2
export type Version = 4 | 5

/** A PUBLISH packet ready to be copied to receivers; QoS, retain and packet identifier are patched in the copy. */
export interface Image {
  readonly bytes: Buffer
  /** Where the packet identifier stands; 0: none. */
  readonly idAt: number
}

/** An application message on its way through the broker. */
export class Message {
  readonly topic: string
  /** A view of the bytes that came in until `detach`. */
  payload: Buffer
  readonly qos: Qos
  readonly retain: boolean
  /** What MQTT 5 receivers get, without alias and subscription identifiers (3.3.2.3). */
  readonly properties: Properties
  /** Milliseconds since 1970 after which it must not be sent any more [MQTT-3.3.2-5]; 0: never. */
  readonly expiresAt: number
  /** Its place in a QoS 2 publisher's stream, by which a repeated one is known; null: it has none. */
  stream: { readonly writer: Uint8Array; readonly seq: number } | null = null
  #images: (Image | undefined)[] | null = null
  #detached = false
  #frugal = false

  constructor(
    topic: string,
    payload: Buffer,
    qos: Qos,
    retain: boolean,
    properties: Properties = noProperties,
    expiresAt = 0,
  ) {
    this.topic = topic
    this.payload = payload
    this.qos = qos
    this.retain = retain
    this.properties = properties
    this.expiresAt = expiresAt
  }

  /** Copies the payload out of the socket's chunk, which may be many times larger, before the message is kept. */
  detach(): this {
    if (!this.#detached) {
      this.#detached = true
      this.payload = Buffer.from(this.payload)
    }
    return this
  }

  /**
   * A copy to keep for long: one buffer is its payload and its 3.1.1 packet, and no other form of it is remembered, so
   * that it holds no more than what it was counted as.
   */
  kept(): Message {
    const image = encode(this.topic, this.payload, 4, false, noProperties)
    const payload = image.bytes.subarray(image.bytes.length - this.payload.length)
    const kept = new Message(this.topic, payload, this.qos, this.retain, this.properties, this.expiresAt)
    kept.#images = [image]
    kept.#detached = kept.#frugal = true
    return kept
  }

  /** Encoded once per version and class of QoS, shared by all receivers. */
  image(version: Version, withId: boolean): Image {
    const images = (this.#images ??= [])
    const at = (version === 5 ? 2 : 0) + (withId ? 1 : 0)
    const known = images[at]
    if (known !== undefined) return known
    const made = encode(this.topic, this.payload, version, withId, this.properties)
    if (!this.#frugal) images[at] = made
    return made
  }

  /** Roughly what it holds in memory. */
  get size(): number {
    const properties = this.properties === noProperties ? 0 : propertiesSize(this.properties)
    return this.payload.length + this.topic.length + properties + 200
  }
}

/** A message as one receiver gets it. */
export interface Outgoing {
  readonly message: Message
  readonly qos: Qos
  readonly retain: boolean
  readonly identifiers: readonly number[] | null
  /** The topic in the receiver's words; null: the message's own. */
  readonly topic: string | null
}

export interface EncodeContext {
  readonly version: Version
  /** Milliseconds since 1970, for what remains of the message expiry interval. */
  readonly now: number
  /** Alias to use, and whether the receiver knows it already (then the topic is left out). */
  readonly alias: number
  readonly aliasKnown: boolean
}

/** Encodes what cannot be shared between receivers: subscription identifiers, aliases, what remains of the expiry. */
export function encodeFor(out: Outgoing, context: EncodeContext): Image {
  const { message } = out
  const topic = out.topic ?? message.topic
  if (context.version === 4) return encode(topic, message.payload, 4, out.qos > 0, noProperties)
  const properties: Properties = { ...message.properties }
  // [MQTT-3.3.2-6] what is sent is the interval received minus the time the message has waited
  if (message.expiresAt !== 0) {
    properties.messageExpiryInterval = Math.max(1, Math.ceil((message.expiresAt - context.now) / 1000))
  }
  if (out.identifiers !== null) properties.subscriptionIdentifiers = [...out.identifiers]
  if (context.alias !== 0) properties.topicAlias = context.alias
  return encode(context.aliasKnown ? '' : topic, message.payload, 5, out.qos > 0, properties)
}

function encode(
  topic: string,
  payload: Buffer,
  version: Version,
  withId: boolean,
  properties: Properties,
): Image {
  const bytes = encodePublish(
    { topic, packetId: withId ? 1 : 0, qos: withId ? 1 : 0, retain: false, dup: false, payload, properties },
    version,
  )
  if (!withId) return { bytes, idAt: 0 }
  let at = 1
  while (bytes[at] > 127) at++
  at++
  return { bytes, idAt: at + 2 + ((bytes[at] << 8) | bytes[at + 1]) }
}
