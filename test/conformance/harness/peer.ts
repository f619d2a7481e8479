import type { IConnectPacket, IPublishPacket, ISubscription, QoS } from 'mqtt-packet'
import { RawClient, type Received, reasonOf } from './client.ts'
import { fresh } from './fresh.ts'

export type ConnectOptions = Partial<Omit<IConnectPacket, 'cmd' | 'protocolVersion'>>
export type PublishOptions = Partial<Pick<IPublishPacket, 'qos' | 'retain' | 'dup' | 'properties'>> & {
  readonly messageId?: number
}
export type Filter = string | (Partial<ISubscription> & { readonly topic: string })

/** A client that knows the usual exchanges; each is complete when its promise resolves. */
export class Peer extends RawClient {
  #packetId = 0
  clientId = ''

  /** Clean session/start and a fresh client id unless told otherwise; the CONNACK must accept. */
  async connect(options: ConnectOptions = {}): Promise<Received<'connack'>> {
    this.sendConnect(options)
    const connack = await this.expect('connack')
    if (reasonOf(connack) !== 0) throw new Error(`CONNECT was refused with ${reasonOf(connack)}`)
    return connack
  }

  sendConnect(options: ConnectOptions = {}): void {
    this.clientId = options.clientId ?? fresh('c')
    this.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: this.version,
      clean: true,
      keepalive: 0,
      ...options,
      clientId: this.clientId,
    })
  }

  nextPacketId(): number {
    this.#packetId = (this.#packetId % 65_535) + 1
    return this.#packetId
  }

  /** Subscribes at QoS 2 unless the filter says otherwise; returns the SUBACK, refusals included. */
  async subscribe(
    filters: Filter | readonly Filter[],
    properties?: { subscriptionIdentifier?: number },
  ): Promise<Received<'suback'>> {
    const list = isList(filters) ? filters : [filters]
    const messageId = this.nextPacketId()
    this.send({
      cmd: 'subscribe',
      messageId,
      subscriptions: list.map((filter) =>
        typeof filter === 'string' ? { topic: filter, qos: 2 } : { qos: 2, ...filter },
      ),
      ...(properties === undefined ? {} : { properties }),
    })
    const suback = await this.expect('suback')
    if (suback.messageId !== messageId) throw new Error(`SUBACK for ${suback.messageId}, not ${messageId}`)
    return suback
  }

  async unsubscribe(...filters: readonly string[]): Promise<Received<'unsuback'>> {
    const messageId = this.nextPacketId()
    this.send({ cmd: 'unsubscribe', messageId, unsubscriptions: [...filters] })
    const unsuback = await this.expect('unsuback')
    if (unsuback.messageId !== messageId)
      throw new Error(`UNSUBACK for ${unsuback.messageId}, not ${messageId}`)
    return unsuback
  }

  /** Sends a PUBLISH and returns its packet identifier (0 at QoS 0) without waiting. */
  sendPublish(topic: string, payload: string | Buffer, options: PublishOptions = {}): number {
    const qos: QoS = options.qos ?? 0
    const messageId = qos === 0 ? 0 : (options.messageId ?? this.nextPacketId())
    this.send({
      cmd: 'publish',
      dup: false,
      retain: false,
      ...options,
      topic,
      payload,
      qos,
      ...(qos === 0 ? {} : { messageId }),
    })
    return messageId
  }

  /**
   * Publishes and completes the acknowledgement; at QoS 0 the answer to a PINGREQ stands in for it. Returns the last
   * acknowledgement's reason code. Not for a client that has deliveries outstanding.
   */
  async publish(topic: string, payload: string | Buffer, options: PublishOptions = {}): Promise<number> {
    const messageId = this.sendPublish(topic, payload, options)
    if (options.qos === 1) return reasonOf(await this.expect('puback'))
    if (options.qos === 2) {
      const reason = reasonOf(await this.expect('pubrec'))
      if (reason >= 0x80) return reason
      this.send({ cmd: 'pubrel', messageId })
      return reasonOf(await this.expect('pubcomp'))
    }
    await this.expectNothing()
    return 0
  }

  /** The next PUBLISH, acknowledged completely; at QoS 2 nothing else may be on its way. */
  async receive(): Promise<Received<'publish'>> {
    const packet = await this.expect('publish')
    const { messageId } = packet
    if (packet.qos === 1 && messageId !== undefined) this.send({ cmd: 'puback', messageId })
    if (packet.qos === 2 && messageId !== undefined) {
      this.send({ cmd: 'pubrec', messageId })
      await this.expect('pubrel')
      this.send({ cmd: 'pubcomp', messageId })
    }
    return packet
  }
}

const isList = (filters: Filter | readonly Filter[]): filters is readonly Filter[] => Array.isArray(filters)
