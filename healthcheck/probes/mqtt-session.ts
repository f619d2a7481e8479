import type { Duplex } from 'node:stream'
import {
  generate,
  type IConnackPacket,
  type IPublishPacket,
  type Packet,
  type Parser,
  parser,
} from 'mqtt-packet'
import { RefusedError } from './errors.ts'

export interface MqttLogin {
  readonly clientId: string
  readonly username: string
  readonly password: string
  /** Seconds. */
  readonly keepAlive: number
}

/** Reason codes that say what is wrong with the checker or the host (MQTT 5, 2.4). */
const reasons: Readonly<Record<number, string>> = {
  0x80: 'unspecified error',
  0x86: 'bad user name or password',
  0x87: 'not authorized',
  0x88: 'server unavailable',
  0x89: 'server busy',
  0x8a: 'banned',
  0x8b: 'server shutting down',
  0x8d: 'keep-alive timeout',
  0x8e: 'session taken over',
  0x97: 'quota exceeded',
  0x98: 'administrative action',
  0x9c: 'use another server',
  0x9f: 'connection rate exceeded',
}
/** The checker's own fault, or that of what knows its keys. */
const refusals = new Set([0x86, 0x87, 0x8a])
const version5 = { protocolVersion: 5 }

/**
 * One MQTT 5 connection, with clean start and no session beyond it: just what probes need of a client, on the codec of
 * MQTT.js, because a checker holds scores of them. Everything it waits for ends with the connection.
 */
export class MqttSession {
  readonly #stream: Duplex
  readonly #parser: Parser
  readonly #listeners = new Map<string, Set<(payload: Buffer) => void>>()
  /** By packet identifier; 0: CONNACK. */
  readonly #waiting = new Map<number, { done: (code: number) => void; failed: (error: Error) => void }>()
  readonly #subscribed = new Map<string, Promise<void>>()
  readonly #onLost: (reason: string) => void
  #lastId = 0
  #end: Error | null = null

  private constructor(stream: Duplex, onLost: (reason: string) => void) {
    this.#stream = stream
    this.#onLost = onLost
    this.#parser = parser(version5)
    this.#parser.on('packet', (packet: Packet) => this.#take(packet))
    this.#parser.on('error', (error: Error) => this.#fail(new Error(`not MQTT: ${error.message}`)))
    stream.on('data', (chunk: Buffer) => this.#parser.parse(chunk))
    stream.on('error', (error: Error) => this.#fail(error))
    stream.on('close', () => this.#fail(new Error('the connection was closed')))
  }

  /** Resolves after a CONNACK that accepts. `onLost` is called when the connection then ends without `close`. */
  static async open(
    stream: Duplex,
    { clientId, username, password, keepAlive }: MqttLogin,
    onLost: (reason: string) => void,
    signal: AbortSignal,
  ): Promise<MqttSession> {
    let open = false
    const session = new MqttSession(stream, (reason) => {
      if (open) onLost(reason)
    })
    try {
      const code = await session.#request(0, signal, {
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: 5,
        clean: true,
        clientId,
        username,
        password: Buffer.from(password),
        keepalive: keepAlive,
        properties: { sessionExpiryInterval: 0 },
      })
      const line = `CONNECT refused: ${reasonText(code)}`
      if (refusals.has(code)) throw new RefusedError(line)
      if (code !== 0) throw new Error(line)
      open = true
      return session
    } catch (error) {
      session.close()
      throw error
    }
  }

  get closed(): boolean {
    return this.#end !== null
  }

  /** Subscribes at QoS 1; once for each filter, which is a topic here. */
  subscribe(topic: string, signal: AbortSignal): Promise<void> {
    const known = this.#subscribed.get(topic)
    if (known !== undefined) return known
    const asked = this.#subscribe(topic, signal)
    this.#subscribed.set(topic, asked)
    asked.catch(() => this.#subscribed.delete(topic))
    return asked
  }

  /** Publishes at QoS 1; resolves at PUBACK, with whether anybody was subscribed as far as that says. */
  async publish(topic: string, payload: string, signal: AbortSignal): Promise<void> {
    const messageId = this.#nextId()
    const code = await this.#request(messageId, signal, {
      cmd: 'publish',
      topic,
      payload,
      qos: 1,
      messageId,
      dup: false,
      retain: false,
    })
    if (code >= 0x80) throw new Error(`PUBLISH refused: ${reasonText(code)}`)
  }

  /** Resolves when a message with that payload comes to a topic that is subscribed. */
  receive(topic: string, payload: string, signal: AbortSignal): Promise<void> {
    return new Promise((received, failed) => {
      const listeners = this.#listeners.get(topic) ?? new Set()
      this.#listeners.set(topic, listeners)
      const wanted = Buffer.from(payload)
      const done = (): void => {
        listeners.delete(listener)
        if (listeners.size === 0) this.#listeners.delete(topic)
        signal.removeEventListener('abort', abort)
        this.#stream.off('close', lost)
      }
      const listener = (got: Buffer): void => {
        if (!got.equals(wanted)) return
        done()
        received()
      }
      const abort = (): void => {
        done()
        failed(signal.reason as Error)
      }
      const lost = (): void => {
        done()
        failed(this.#end ?? new Error('the connection was closed'))
      }
      listeners.add(listener)
      this.#stream.once('close', lost)
      if (this.#end !== null) lost()
      else if (signal.aborted) abort()
      else signal.addEventListener('abort', abort, { once: true })
    })
  }

  /** Says DISCONNECT, and ends. */
  close(): void {
    if (this.#end === null) {
      this.#send({ cmd: 'disconnect', reasonCode: 0 })
      this.#settle(new Error('closed by the checker'))
    }
    this.#stream.end()
    this.#stream.destroy()
  }

  async #subscribe(topic: string, signal: AbortSignal): Promise<void> {
    const messageId = this.#nextId()
    const code = await this.#request(messageId, signal, {
      cmd: 'subscribe',
      messageId,
      subscriptions: [{ topic, qos: 1 }],
    })
    if (code >= 0x80) throw new Error(`SUBSCRIBE refused: ${reasonText(code)}`)
  }

  /** Sends a packet and waits for its answer, whose reason code it gives. */
  #request(id: number, signal: AbortSignal, packet: Packet): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#end !== null) return reject(this.#end)
      if (signal.aborted) return reject(signal.reason as Error)
      const finish = (): void => {
        this.#waiting.delete(id)
        signal.removeEventListener('abort', abort)
      }
      const abort = (): void => {
        finish()
        reject(signal.reason as Error)
      }
      this.#waiting.set(id, {
        done: (code) => {
          finish()
          resolve(code)
        },
        failed: (error) => {
          finish()
          reject(error)
        },
      })
      signal.addEventListener('abort', abort, { once: true })
      this.#send(packet)
    })
  }

  #take(packet: Packet): void {
    switch (packet.cmd) {
      case 'connack':
        return this.#waiting.get(0)?.done(codeOf(packet))
      case 'puback':
      case 'suback':
        return this.#answered(packet)
      case 'publish':
        return this.#received(packet)
      case 'disconnect':
        return this.#fail(new Error(`disconnected: ${reasonText(packet.reasonCode ?? 0)}`))
      default:
    }
  }

  #answered(packet: Extract<Packet, { cmd: 'puback' | 'suback' }>): void {
    const code = packet.cmd === 'suback' ? Number(packet.granted[0]) : (packet.reasonCode ?? 0)
    this.#waiting.get(packet.messageId ?? 0)?.done(code)
  }

  #received({ topic, payload, qos, messageId }: IPublishPacket): void {
    if (qos === 1) this.#send({ cmd: 'puback', messageId: messageId ?? 0, reasonCode: 0 })
    const bytes = Buffer.from(payload)
    for (const listener of this.#listeners.get(topic) ?? []) listener(bytes)
  }

  #send(packet: Packet): void {
    if (this.#stream.writable) this.#stream.write(generate(packet, version5))
  }

  #nextId(): number {
    do this.#lastId = (this.#lastId % 65_535) + 1
    while (this.#waiting.has(this.#lastId))
    return this.#lastId
  }

  #fail(error: Error): void {
    if (this.#end !== null) return
    this.#settle(error)
    this.#stream.destroy()
    this.#onLost(error.message)
  }

  #settle(error: Error): void {
    this.#end = error
    for (const { failed } of this.#waiting.values()) failed(error)
  }
}

function codeOf({ reasonCode, returnCode }: IConnackPacket): number {
  return reasonCode ?? returnCode ?? 0
}

function reasonText(code: number): string {
  return reasons[code] ?? `reason code 0x${code.toString(16)}`
}
