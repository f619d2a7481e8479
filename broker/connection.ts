import type { Duplex } from 'node:stream'
import type { Principal } from '#platform/auth/principal.ts'
import type { EndReason } from '#platform/presence/change.ts'
import type { Refusal } from '#platform/telemetry/conventions.ts'
import { AckQueue, type PendingAck } from './ack-queue.ts'
import type { Broker } from './broker.ts'
import { countDrop } from './drops.ts'
import { disconnectedBecause, failedBecause } from './end-reason.ts'
import { SCRAM_SHA_256, type ScramExchange } from './enhanced-auth.ts'
import { forwardRun, packetOffsets, RUN } from './forward.ts'
import type { Attempt } from './handlers/connect.ts'
import { handleControl } from './handlers/control.ts'
import { handlePublish } from './handlers/publish.ts'
import type { ConnectionInfo } from './listeners/transport.ts'
import type { Outgoing } from './message.ts'
import type { Source } from './output.ts'
import { PacketWriter } from './packet-writer.ts'
import { PartialPacket } from './partial-packet.ts'
import { encodeAuth } from './packets/auth.ts'
import { encodeConnack } from './packets/connack.ts'
import { encodeDisconnect } from './packets/disconnect.ts'
import { decodeRemainingLength, remainingLengthBytes } from './packets/fixed-header.ts'
import { PacketError } from './packets/packet-error.ts'
import { PacketType } from './packets/packet-type.ts'
import { noProperties, type Properties } from './packets/properties.ts'
import { ReasonCode, reasonName } from './packets/reason-code.ts'
import type { RateLimiter } from './rate-limiter.ts'
import type { RetainedReplay } from './retained-replay.ts'
import type { Session } from './session.ts'
import type { Space } from './space.ts'
import { makeTopicEntry, sameBytes, TopicEntries, type TopicEntry } from './topic-entry.ts'
import { TICK_MS } from './wheel.ts'

/** Where a connection stands between accept and close. */
export const Phase = {
  /** Nothing but CONNECT is taken. */
  NEW: 0,
  /** CONNECT is being answered; what comes behind it waits. */
  CONNECTING: 1,
  /** Enhanced authentication: only AUTH and DISCONNECT are taken. */
  AUTHENTICATING: 2,
  OPEN: 3,
  CLOSED: 4,
} as const
export type Phase = (typeof Phase)[keyof typeof Phase]

/** Largest packet of a client that nobody knows yet: five strings of 64 KB and some properties. */
const CONNECT_BYTES = 524_288
const key = Symbol('connection')
type Keyed = Duplex & { [key]: Connection }

function onData(this: Duplex, chunk: Buffer): void {
  ;(this as Keyed)[key].receive(chunk)
}
function onClose(this: Duplex): void {
  ;(this as Keyed)[key].gone()
}
function onError(this: Duplex, error: Error): void {
  ;(this as Keyed)[key].cause ??= error.message
}

/** One network connection: bytes in, packets to their handlers, bytes out. */
export class Connection extends PacketWriter implements Source {
  readonly broker: Broker
  readonly info: ConnectionInfo
  phase: Phase = Phase.NEW
  /** The reason why its CONNECT will be refused, decided before anything was read; 0: none. */
  refusal = 0
  session: Session | null = null
  space: Space | null = null
  principal: Principal | null = null
  /** Milliseconds without a packet after which it is closed [MQTT-3.1.2-22]; 0: never. */
  keepAliveMs = 0
  /** Tick of the last bytes. */
  lastSeen: number
  /** Largest packet taken from the client. */
  maximumIncoming: number
  /** What a publisher of the same version sent may be copied to this client as it is. */
  simple = true
  /** The client wants reason strings and user properties [MQTT-3.1.2-29]. */
  problemInformation = true
  /** Topics behind the client's aliases; null: none set yet. */
  aliasesIn: Map<number, Buffer> | null = null
  limiter: RateLimiter | null = null
  /** Why it ended, for the log. */
  cause: string | null = null
  /** The same, for presence; null: the network connection ended. */
  endReason: EndReason | null = null
  /** Its CONNECT said so. */
  cleanStart = false
  /** A DISCONNECT said that the will is not wanted [MQTT-3.1.2-10]. */
  willDiscarded = false
  /** Somebody watches this client. */
  traced = false
  /** CONNECT, while it is being answered, or re-authentication. */
  attempt: Attempt | null = null
  /** It came by enhanced authentication. */
  enhanced = false
  /** A re-authentication under way. */
  exchange: ScramExchange | null = null
  /** Retained messages on their way to the client; null: it never subscribed to any. */
  replay: RetainedReplay | null = null
  #acks: AckQueue | null = null
  #entry: TopicEntry | null = null
  /** The others, if there are any: most devices publish to one topic. */
  #entries: TopicEntries | null = null
  #partial: PartialPacket | null = null
  /** Bytes of the packet whose end has not come. */
  #needed = 0
  #holds = 0
  #ackHold = false
  #throttled = false
  #refusal: string | null = null
  #timerTick = 0

  constructor(broker: Broker, stream: Duplex, info: ConnectionInfo) {
    super(stream, broker.outputLimits)
    this.broker = broker
    this.info = info
    this.lastSeen = broker.wheel.now
    this.maximumIncoming = Math.min(broker.config.mqtt.maximum_packet_size, CONNECT_BYTES)
    ;(stream as Keyed)[key] = this
    stream.on('data', onData)
    stream.on('close', onClose)
    stream.on('error', onError)
    this.#timerTick = broker.wheel.after(broker.config.limits.connect_timeout * 1000, this)
  }

  /** Bytes from the client. */
  receive(chunk: Buffer): void {
    this.lastSeen = this.broker.wheel.now
    this.broker.stats.bytesReceived.value += chunk.length
    if (this.broker.mustWait(this)) {
      if (this.#partial === null) this.#partial = new PartialPacket(chunk, chunk.length)
      else this.#partial.append(chunk)
      return
    }
    if (this.#partial === null) this.#parse(chunk)
    else if (this.#partial.append(chunk)) this.#parse(this.#takePartial(this.#partial))
  }

  /** Goes on with what had to wait: behind a CONNECT that has been answered, or for its turn. */
  resume(): void {
    this.releaseSource()
    if (this.#partial !== null) this.#parse(this.#takePartial(this.#partial))
  }

  #takePartial(partial: PartialPacket): Buffer {
    this.#partial = null
    return partial.bytes
  }

  #parse(data: Buffer): void {
    try {
      const used = this.#packets(data)
      if (used < data.length && this.phase !== Phase.CLOSED)
        this.#partial = new PartialPacket(data.subarray(used), this.#needed)
    } catch (error) {
      if (!(error instanceof PacketError)) throw error
      this.broker.stats.malformed.value++
      this.fail(error.reason, error.message)
    }
    if (this.choked && this.backlog > 2 * this.limits.max && this.phase !== Phase.CLOSED) {
      // It asks and does not read the answers: memory stays bounded.
      this.broker.stats.slowClosed.value++
      this.endReason = 'too_slow'
      this.destroy('does not read')
    }
  }

  /** Handles whole packets from the start of `d`; returns how many bytes they took. */
  #packets(d: Buffer): number {
    const end = d.length
    let max = this.maximumIncoming
    let p = 0
    this.#needed = 0
    // A run: packets [from, p) that all go to `run` with the same QoS, forwarded together.
    let run: TopicEntry | null = null
    let from = 0
    let qos: 0 | 1 | 2 = 0
    let n = 0
    while (end - p >= 2) {
      if (this.phase === Phase.CLOSED || this.phase === Phase.CONNECTING) break
      let length = d[p + 1]
      let q = p + 2
      if (length > 127) {
        try {
          length = decodeRemainingLength(d, p + 1, end)
        } catch (error) {
          // What came before it has its acknowledgement already.
          if (run !== null) forwardRun(this, d, from, p, run, qos, n)
          throw error
        }
        if (length < 0) break
        q = p + 1 + remainingLengthBytes(length)
      }
      if (q + length - p > max) {
        if (run !== null) forwardRun(this, d, from, p, run, qos, n)
        this.#refuseOversized(q + length - p, max)
        return end
      }
      const stop = q + length
      if (stop > end) {
        this.#needed = stop - p
        break
      }
      const first = d[p]
      // PUBLISH without DUP and RETAIN
      if ((first & 0xf9) === 0x30 && this.phase === Phase.OPEN) {
        const packetQos = ((first >> 1) & 3) as 0 | 1 | 2
        const entry = this.#publishEntry(d, q, stop, packetQos)
        if (entry !== null) {
          if (run !== null && (entry !== run || packetQos !== qos || n === RUN)) {
            forwardRun(this, d, from, p, run, qos, n)
            run = null
          }
          if (run === null) {
            run = entry
            from = p
            qos = packetQos
            n = 0
          }
          const idAt = q + 2 + entry.bytes.length
          packetOffsets[n++] = idAt
          if (packetQos !== 0) {
            const id = (d[idAt] << 8) | d[idAt + 1]
            if (packetQos === 1) this.ack(0x40, id)
            else {
              ;(this.session as Session).inbound?.set(id, 1)
              this.ack(0x50, id)
            }
          }
          p = stop
          continue
        }
      }
      if (run !== null) {
        forwardRun(this, d, from, p, run, qos, n)
        run = null
      }
      if (this.phase !== Phase.OPEN) {
        handleControl(this, first, d, q, stop)
        max = this.maximumIncoming
      } else if (first === 0x40 && length === 2 && (d[q] | d[q + 1]) !== 0) {
        this.broker.stats.packetsIn.value++
        ;(this.session as Session).outbox.acknowledged((d[q] << 8) | d[q + 1], false)
      } else if (first >> 4 === PacketType.PUBLISH) {
        if (this.limiter !== null && this.#tooFast(this.limiter, first, length)) break
        this.broker.stats.packetsIn.value++
        handlePublish(this, first & 15, d, q, stop)
      } else handleControl(this, first, d, q, stop)
      p = stop
    }
    if (run !== null) forwardRun(this, d, from, p, run, qos, n)
    return p
  }

  /**
   * The entry of a PUBLISH that may take the short way: a plain topic, no session on disk among its receivers, no
   * properties, a fresh packet identifier. Null: the long way decides.
   */
  #publishEntry(d: Buffer, q: number, stop: number, qos: number): TopicEntry | null {
    if (stop - q < 2) return null
    const topicEnd = q + 2 + ((d[q] << 8) | d[q + 1])
    let body = topicEnd
    if (qos !== 0) {
      body += 2
      if (
        body > stop ||
        (d[topicEnd] | d[topicEnd + 1]) === 0 ||
        qos > this.broker.config.mqtt.maximum_qos ||
        qos === 3
      )
        return null
    }
    if (this.version === 5 && d[body++] !== 0) return null
    if (body > stop || topicEnd === q + 2) return null
    let entry = this.#entry
    if (entry === null || !entry.route.valid || !sameBytes(d, q + 2, topicEnd, entry.bytes)) {
      entry = this.entryFor(d, q + 2, topicEnd)
      if (entry === null) return null
    }
    if (!entry.plain || entry.route.durable || entry.route.groups.length > 0 || this.traced) return null
    if (qos !== 0) {
      if (this.#acks !== null && this.#acks.length > 0) return null
      if (this.version === 5 && entry.route.empty) return null
      if (qos === 2) {
        const inbound = (this.session as Session).inbound
        if (inbound === null || inbound.get((d[topicEnd] << 8) | d[topicEnd + 1]) !== 0) return null
        if (inbound.count >= this.broker.config.mqtt.receive_maximum) return null
      }
    }
    if (this.space?.usage?.exhausted('messages') === true) return null
    if (this.limiter !== null && !this.limiter.take(stop - q, this.broker.wheel.now)) return null
    return entry
  }

  /** What is known about a topic; null: it is not one. */
  entryFor(d: Buffer, from: number, to: number): TopicEntry | null {
    const entry = this.#entry
    if (entry !== null && sameBytes(d, from, to, entry.bytes)) {
      if (!entry.route.valid) entry.route = (this.space as Space).router.route(entry.topic)
      return entry
    }
    const found = this.#findEntry(d, from, to)
    if (found !== null) this.#entry = found
    return found
  }

  #findEntry(d: Buffer, from: number, to: number): TopicEntry | null {
    const known = this.#entries?.get(d, from, to)
    if (known !== undefined) {
      if (!known.route.valid) known.route = (this.space as Space).router.route(known.topic)
      return known
    }
    const entry = makeTopicEntry(this, d, from, to)
    if (entry === null) return null
    if (this.#entries !== null) this.#entries.add(entry)
    else if (this.#entry !== null) {
      this.#entries = new TopicEntries(this.#entry)
      this.#entries.add(entry)
    }
    return entry
  }

  /** The packet would be larger than allowed: known from its header, before its body is kept. */
  #refuseOversized(size: number, max: number): void {
    this.broker.stats.oversized.value++
    this.fail(ReasonCode.PacketTooLarge, `packet of ${size} bytes, at most ${max} are allowed`)
  }

  /** Acknowledges now, or when `ticket` of its organisation's lane is durable and all earlier acknowledgements have left. */
  acknowledge(first: number, packetId: number, reason: number, ticket: number): void {
    const { commit } = this.space as Space
    if (ticket <= commit.through && (this.#acks === null || this.#acks.length === 0)) {
      this.sendAck(first, packetId, reason)
      return
    }
    this.queueAck({ first, packetId, reason, ticket })
  }

  /** Queues an acknowledgement whose ticket may still change. */
  queueAck(ack: PendingAck): void {
    const acks = (this.#acks ??= new AckQueue())
    acks.push(ack)
    ;(this.space as Space).disk.acknowledgeLater(this)
  }

  /** PUBACKs that wait. */
  get waitingPubacks(): number {
    return this.#acks?.pubacks ?? 0
  }

  /** Reads no more until half of what the client may have unacknowledged is acknowledged. */
  holdUntilAcknowledged(): void {
    if (this.#ackHold || this.waitingPubacks === 0) return
    this.#ackHold = true
    this.holdSource()
  }

  /**
   * The client publishes faster than it may, and cannot be told so as MQTT 5 can at QoS 1 and 2: this PUBLISH and all
   * behind it wait for the next tick.
   */
  #tooFast(limiter: RateLimiter, first: number, bytes: number): boolean {
    if (this.version === 5 && (first & 6) !== 0) return false
    if (limiter.allows(bytes, this.broker.wheel.now)) return false
    if (this.#throttled) return true
    this.#throttled = true
    this.broker.stats.rateLimited.value++
    this.holdSource()
    this.broker.wheel.after(0, {
      due: () => {
        this.#throttled = false
        this.resume()
      },
    })
    return true
  }

  /** Logs the first refused payload of each reason; the others are only counted. */
  payloadRefused(topic: string, refusal: Refusal): void {
    if (this.#refusal === refusal.explanation) return
    this.#refusal = refusal.explanation
    const { code, explanation: detail } = refusal
    this.broker.logLimit.warn(
      'payload refused',
      { event: 'payload.refused', client: this.clientId, topic, code, detail },
      'payload refused',
    )
  }

  /** Sends what has become durable; true while others wait. */
  sendDurableAcks(): boolean {
    const acks = this.#acks
    if (acks === null) return false
    const { through } = (this.space as Space).commit
    for (let ack = acks.shift(through); ack !== undefined; ack = acks.shift(through)) {
      if (this.phase === Phase.OPEN) this.sendAck(ack.first, ack.packetId, ack.reason)
    }
    if (this.#ackHold && acks.pubacks * 2 < this.broker.config.mqtt.receive_maximum) {
      this.#ackHold = false
      this.releaseSource()
    }
    return acks.length > 0
  }

  /** AUTH 0x18 with the server's message; the client's answer is awaited. */
  challenge(attempt: Attempt, data: Buffer): void {
    this.enhanced = true
    this.phase = Phase.AUTHENTICATING
    this.send(
      encodeAuth(ReasonCode.ContinueAuthentication, {
        authenticationMethod: SCRAM_SHA_256,
        authenticationData: data,
      }),
    )
    if (!attempt.held) return
    attempt.held = false
    this.resume()
  }

  /**
   * Sends a message. False: the client does not take packets of this size; it is as if it had been
   * delivered [MQTT-3.1.2-25].
   */
  sendPublish(out: Outgoing, packetId: number, dup: boolean): boolean {
    const { broker } = this
    const { message } = out
    if (!this.writePublish(out, packetId, dup, message.expiresAt === 0 ? 0 : broker.now)) {
      broker.stats.dropped.tooLarge.value++
      countDrop(this.session, 'larger_than_receiver_allows')
      return false
    }
    broker.stats.sent.value++
    if (this.traced)
      broker.trace.packet(this, 'out', `PUBLISH ${message.topic} qos ${out.qos} id ${packetId}`)
    return true
  }

  get clientId(): string {
    return this.session?.clientId ?? ''
  }

  // --- sources: back-pressure -------------------------------------------------------------------------

  holdSource(): void {
    if (this.#holds++ === 0) this.stream.pause()
  }

  releaseSource(): void {
    if (--this.#holds > 0 || this.phase === Phase.CLOSED) return
    this.lastSeen = this.broker.wheel.now
    this.stream.resume()
  }

  // --- the end ----------------------------------------------------------------------------------------

  /**
   * Refuses a CONNECT: CONNACK with the reason in the client's version, then close [MQTT-3.2.2-7]. `told` is for the
   * client where it may not know all that the log says.
   */
  refuse(reason: number, explanation: string, told: string = explanation): void {
    this.#logRefusal(reason, explanation)
    const properties = this.#explained(noProperties, told)
    this.send(encodeConnack({ sessionPresent: false, reason, properties }, this.version))
    this.close(explanation)
  }

  /** Ends the connection because of an error: MQTT 5 clients are told why [MQTT-3.14.0-1], [MQTT-4.13.1-1]. */
  fail(reason: number, explanation: string): void {
    if (this.phase === Phase.CLOSED) return
    if (this.phase !== Phase.OPEN) {
      // Before CONNECT has been understood nothing may be answered but CONNACK, and only to MQTT [MQTT-3.1.4-1].
      const understood = this.phase !== Phase.NEW || this.version === 5
      if (understood || reason === ReasonCode.UnsupportedProtocolVersion) this.refuse(reason, explanation)
      else {
        this.#logRefusal(reason, explanation)
        this.close(explanation)
      }
      return
    }
    this.endReason ??= failedBecause(reason)
    this.broker.stats.disconnected(reason)
    this.broker.logLimit.warn(
      `failed ${reason}`,
      this.#logged('client.failed', reason, explanation),
      'client disconnected by the broker',
    )
    this.disconnect(reason, explanation)
  }

  #logRefusal(reason: number, explanation: string): void {
    this.broker.stats.refused(reason)
    this.broker.logLimit.warn(
      `refused ${reason}`,
      this.#logged('client.refused', reason, explanation),
      'connection refused',
    )
  }

  #logged(event: string, reason: number, detail: string): Record<string, unknown> {
    const client = this.session?.clientId ?? this.attempt?.clientId
    return { event, client, address: this.info.remoteAddress, reason: reasonName(reason), detail }
  }

  /** Ends the connection in good order, with the reason for MQTT 5 clients. */
  disconnect(reason: number, explanation: string): void {
    if (this.phase === Phase.CLOSED) return
    this.endReason ??= disconnectedBecause(reason)
    if (this.version === 5 && this.phase === Phase.OPEN) {
      this.send(encodeDisconnect(reason, this.#explained(noProperties, explanation), 5))
    }
    this.close(explanation)
  }

  /** Ends the connection at once. */
  destroy(explanation: string): void {
    this.cause ??= explanation
    this.stream.destroy()
    this.gone()
  }

  /** [MQTT-3.2.2-19], [MQTT-3.14.2-3]: no reason string that would make the packet too large for the client. */
  #explained(properties: Properties, explanation: string): Properties {
    if (this.version !== 5 || !this.problemInformation) return properties
    if (this.maximumPacketSize !== 0 && explanation.length + 64 > this.maximumPacketSize) return properties
    return { ...properties, reasonString: explanation }
  }

  /** Sends what waits and closes; a peer that does not close has its socket taken away after a moment. */
  close(explanation: string): void {
    if (this.phase === Phase.CLOSED) return
    this.cause ??= explanation
    this.flush()
    this.gone()
    const { stream } = this
    stream.end()
    stream.resume()
    this.broker.wheel.after(1000, { due: () => stream.destroy() })
  }

  /** The network connection has ended, whoever ended it. Happens once. */
  gone(): void {
    if (this.phase === Phase.CLOSED) return
    this.phase = Phase.CLOSED
    this.broker.wheel.cancel(this.#timerTick, this)
    this.#partial = null
    this.#entry = this.#entries = null
    this.releaseAll()
    this.space?.usage?.connected(-1)
    this.broker.lifecycle.connectionGone(this)
  }

  // --- time -------------------------------------------------------------------------------------------

  /** Starts the watch of the keep-alive interval, in seconds: one and a half of it may pass [MQTT-3.1.2-22]. */
  watchKeepAlive(seconds: number): void {
    this.broker.wheel.cancel(this.#timerTick, this)
    this.#timerTick = 0
    this.keepAliveMs = seconds * 1500
    if (seconds !== 0) this.#timerTick = this.broker.wheel.after(this.keepAliveMs, this)
  }

  /** The wheel: CONNECT or the keep-alive is overdue, or may be. */
  due(): void {
    if (this.phase === Phase.CLOSED) return
    if (this.phase !== Phase.OPEN) {
      this.broker.stats.refused(ReasonCode.KeepAliveTimeout)
      this.broker.logLimit.warn(
        'timeout',
        { event: 'client.timeout', address: this.info.remoteAddress },
        'no complete CONNECT in time',
      )
      this.destroy('no complete CONNECT in time')
      return
    }
    const idle = (this.broker.wheel.now - this.lastSeen) * TICK_MS
    // A client that the broker has stopped reading from cannot show that it lives.
    if (this.#holds > 0) this.#timerTick = this.broker.wheel.after(this.keepAliveMs, this)
    else if (idle >= this.keepAliveMs)
      this.fail(ReasonCode.KeepAliveTimeout, 'nothing heard within one and a half keep-alive intervals')
    else this.#timerTick = this.broker.wheel.after(this.keepAliveMs - idle, this)
  }
}
