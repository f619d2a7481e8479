import type { Socket } from 'node:net'
import { generate, type Packet, parser as packetParser } from 'mqtt-packet'
import { FrameSplitter } from './frames.ts'
import { alarm } from '../../patience.ts'

export type Version = 4 | 5
export type Command = Packet['cmd']
/** A packet as it came, decoded and as bytes. */
export type Received<C extends Command = Command> = Extract<Packet, { cmd: C }> & { readonly frame: Buffer }

type Event = Received | 'closed'

/** How long a broker may take to answer, in milliseconds; loopback answers in well under one. */
export const ANSWER_MS = 20_000

/**
 * A connection that sends what it is told, valid or not, and shows every packet that comes back in order. It answers
 * nothing by itself: no acknowledgement, no ping.
 */
export class RawClient {
  readonly version: Version
  readonly #socket: Socket
  readonly #events: Event[] = []
  #wake: (() => void) | undefined
  #failure: Error | undefined
  #accepted = false

  constructor(socket: Socket, version: Version) {
    this.#socket = socket
    this.version = version
    const splitter = new FrameSplitter()
    const decoder = packetParser({ protocolVersion: version })
    let frame: Buffer = Buffer.alloc(0)
    decoder.on('packet', (packet) => this.#push(Object.assign(packet, { frame })))
    decoder.on('error', (error: Error) => {
      this.#fail(new Error(`the broker sent ${frame.toString('hex')}: ${error.message}`))
    })
    socket.on('data', (chunk) => {
      try {
        for (frame of splitter.push(chunk)) decoder.parse(frame)
      } catch (error) {
        this.#fail(error instanceof Error ? error : new Error(String(error)))
      }
    })
    // A reset is a way of closing; 'close' follows.
    socket.on('error', () => {})
    socket.on('close', () => this.#push('closed'))
  }

  /** Sends bytes as they are, or a valid packet. */
  send(...packets: readonly (Buffer | Packet)[]): void {
    this.#socket.write(
      Buffer.concat(
        packets.map((packet) =>
          Buffer.isBuffer(packet) ? packet : generate(packet, { protocolVersion: this.version }),
        ),
      ),
    )
  }

  /** The next packet, or the end of the connection. */
  async next(deadline = ANSWER_MS): Promise<Event> {
    if (this.#events.length === 0 && this.#failure === undefined) {
      await new Promise<void>((resolve) => {
        const off = alarm(deadline, resolve)
        this.#wake = () => {
          off()
          resolve()
        }
      })
    }
    if (this.#failure !== undefined) throw this.#failure
    const event = this.#events.shift()
    if (event === undefined) throw new Error(`nothing came within ${deadline} ms`)
    if (event !== 'closed' && event.cmd === 'connack' && reasonOf(event) === 0) this.#accepted = true
    return event
  }

  /** The next packet, which has to be this one. */
  async expect<C extends Command>(command: C, deadline = ANSWER_MS): Promise<Received<C>> {
    const event = await this.next(deadline).catch((error: unknown) => {
      throw new Error(`expected ${command}: ${String(error)}`)
    })
    if (event === 'closed' || !isCommand(event, command)) {
      throw new Error(`expected ${command}, got ${describeEvent(event)}`)
    }
    return event
  }

  /** The broker closes without another packet. */
  async expectClosed(deadline = ANSWER_MS): Promise<void> {
    const event = await this.next(deadline).catch((error: unknown) => {
      throw new Error(`expected the connection to be closed: ${String(error)}`)
    })
    if (event !== 'closed') throw new Error(`expected a closed connection, got ${describeEvent(event)}`)
  }

  /** MQTT 5: the broker says why (one of the reason codes) and closes. */
  async expectDisconnect(reasons: readonly number[], deadline = ANSWER_MS): Promise<Received<'disconnect'>> {
    const packet = await this.expect('disconnect', deadline)
    this.#checkReason(packet, reasons)
    await this.expectClosed()
    return packet
  }

  /**
   * The broker refuses what was sent and closes. It may say why first, in a CONNACK (before the connection is
   * accepted) or in a DISCONNECT (MQTT 5), with one of the reason codes given.
   */
  async expectRefused(reasons: readonly number[], deadline = ANSWER_MS): Promise<Event> {
    const event = await this.next(deadline)
    if (event === 'closed') return event
    // MQTT-3.14.0-1: no DISCONNECT from the server before it has accepted.
    if (event.cmd !== (this.#accepted ? 'disconnect' : 'connack')) {
      throw new Error(`expected a refusal, got ${describeEvent(event)}`)
    }
    this.#checkReason(event, reasons)
    await this.expectClosed()
    return event
  }

  /** Everything that the broker had to say before it answered a PINGREQ: a barrier without sleeping. */
  async drain(): Promise<Received[]> {
    this.send({ cmd: 'pingreq' })
    const packets: Received[] = []
    for (;;) {
      const event = await this.next()
      if (event === 'closed') throw new Error('expected pingresp, the connection was closed')
      if (event.cmd === 'pingresp') return packets
      packets.push(event)
    }
  }

  /** Nothing had come when the broker answered a PINGREQ. */
  async expectNothing(): Promise<void> {
    const packets = await this.drain()
    if (packets.length > 0) throw new Error(`expected nothing, got ${packets.map(describeEvent).join('; ')}`)
  }

  /** Cuts the connection without DISCONNECT. */
  destroy(): void {
    this.#socket.destroy()
  }

  /** Cuts the connection with a TCP reset. */
  reset(): void {
    this.#socket.resetAndDestroy()
  }

  /** Sends DISCONNECT and waits until the broker has closed. */
  async end(packet: Extract<Packet, { cmd: 'disconnect' }> = { cmd: 'disconnect' }): Promise<void> {
    this.send(packet)
    await this.expectClosed()
  }

  #checkReason(packet: Received, reasons: readonly number[]): void {
    const reason = reasonOf(packet)
    if (!reasons.includes(reason)) {
      throw new Error(`expected reason ${reasons.map(asHex).join(' or ')}, got ${describeEvent(packet)}`)
    }
  }

  #push(event: Event): void {
    this.#events.push(event)
    this.#wake?.()
  }

  #fail(error: Error): void {
    this.#failure = error
    this.#socket.destroy()
    this.#wake?.()
  }
}

const isCommand = <C extends Command>(packet: Received, command: C): packet is Received<C> =>
  packet.cmd === command

/** The reason code of a packet, or the return code of a 3.1.1 CONNACK. */
export const reasonOf = (packet: Received): number =>
  ('reasonCode' in packet ? packet.reasonCode : undefined) ??
  ('returnCode' in packet ? packet.returnCode : undefined) ??
  0

const asHex = (code: number): string => `0x${code.toString(16).padStart(2, '0')}`

const describeEvent = (event: Event): string =>
  event === 'closed'
    ? 'a closed connection'
    : `${event.cmd} (${asHex(reasonOf(event))}) ${event.frame.toString('hex')}`
