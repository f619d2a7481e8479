import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { Authenticator } from '#platform/auth/principal.ts'
import { type Clock, HybridClock } from '#platform/clock.ts'
import { hash128 } from '#platform/hash.ts'
import type { Logger } from '#platform/log.ts'
import type { Metrics } from '#platform/metrics.ts'
import type { GroupCommit } from '#platform/store/group-commit.ts'
import type { Store } from '#platform/store/store.ts'
import type { Conventions } from '#platform/telemetry/conventions.ts'
import { Admission } from './admission.ts'
import type { BrokerConfig } from './config.ts'
import { Connection, Phase, type TopicEntry } from './connection.ts'
import { deliverAll, deliverShared } from './deliver.ts'
import { openListener } from './listeners/index.ts'
import type { ConnectionInfo, Listener } from './listeners/transport.ts'
import { LogLimit } from './log-limit.ts'
import { Message } from './message.ts'
import { DurableOutbox } from './outbox/durable-outbox.ts'
import { MemoryOutbox, type QueueLimits } from './outbox/memory-outbox.ts'
import { type Output, type OutputLimits, whenWritten } from './output.ts'
import { ReasonCode } from './packets/reason-code.ts'
import { isValidTopicBytes, topicLevels } from './packets/topic.ts'
import { parseFilter, routedTopic } from './topics.ts'
import { NEVER, type Session } from './session.ts'
import { SessionStore } from './session-store.ts'
import { Space } from './space.ts'
import { Stats } from './stats.ts'
import { registerGauges, sysStats } from './status.ts'
import { sysMessages } from './sys-topics.ts'
import { Trace } from './trace.ts'
import { TICK_MS, Wheel } from './wheel.ts'

/** Messages of a shared subscription that are given to other members when a session ends. */
const REDISPATCH = 10_000
/** Connections beyond `max_connections` that may wait for their refusal. */
const REFUSED_AT_ONCE = 1024
const DAY_MS = 86_400_000

export interface BrokerDeps {
  readonly config: BrokerConfig
  readonly store: Store
  readonly commit: GroupCommit
  readonly authenticator: Authenticator
  readonly conventions: Conventions
  readonly log: Logger
  readonly metrics: Metrics
  readonly clock: Clock
}

/** An MQTT broker process: listeners, connections, sessions of all organisations, and their common clockwork. */
export class Broker {
  readonly config: BrokerConfig
  readonly store: Store
  readonly commit: GroupCommit
  readonly authenticator: Authenticator
  readonly conventions: Conventions
  readonly log: Logger
  readonly metrics: Metrics
  readonly stats: Stats
  readonly trace: Trace
  readonly logLimit: LogLimit
  readonly admission: Admission
  readonly sessionStore: SessionStore
  readonly hlc: HybridClock
  readonly wheel = new Wheel()
  readonly queueLimits: QueueLimits
  readonly outputLimits: OutputLimits
  /** Sessions whose state has changed since it was saved. */
  readonly dirtyOutboxes = new Set<DurableOutbox>()
  readonly connections = new Set<Connection>()
  readonly startedAt: number
  /** Most connections at a time. */
  mostConnections = 0
  /** This process incarnation; never used again. */
  writer: Uint8Array = new Uint8Array(0)
  /** Days since 1970: the partition of inboxes written now. */
  day = 0
  readonly #clock: Clock
  readonly #spaces = new Map<string, Space>()
  readonly #listeners: Listener[] = []
  readonly #durable: { ticket: number; then: () => void }[] = []
  #durableHead = 0
  readonly #waiting = new Set<Connection>()
  readonly #diskHeld = new Set<Connection>()
  #saves: DurableOutbox[] = []
  #seq = 0
  #timer: NodeJS.Timeout | null = null
  #draining = false

  constructor(deps: BrokerDeps) {
    this.config = deps.config
    this.store = deps.store
    this.commit = deps.commit
    this.authenticator = deps.authenticator
    this.conventions = deps.conventions
    this.log = deps.log
    this.metrics = deps.metrics
    this.#clock = deps.clock
    this.startedAt = deps.clock.now()
    this.hlc = new HybridClock(deps.clock)
    this.stats = new Stats(deps.metrics)
    this.trace = new Trace(deps.log)
    this.logLimit = new LogLimit(deps.log, deps.clock)
    this.admission = new Admission(deps.config.limits, deps.clock, deps.metrics, deps.log)
    this.sessionStore = new SessionStore(this)
    const { mqtt, limits } = deps.config
    this.queueLimits = {
      messages: mqtt.max_queue_messages,
      bytes: mqtt.max_queue_bytes,
      policy: mqtt.queue_policy,
    }
    this.outputLimits = { high: limits.output_high, max: limits.output_max, slow: new Set() }
    this.commit.beforeLaunch(() => this.#stageSaves())
    this.commit.onDurable((through) => this.#landed(through))
    for (const clientId of deps.config.trace_clients) this.trace.watch(clientId)
    registerGauges(this)
  }

  /** Milliseconds since 1970. */
  get now(): number {
    return this.#clock.now()
  }

  /** The newest durable ticket of the group commit. */
  get durableThrough(): number {
    return this.commit.through
  }

  get draining(): boolean {
    return this.#draining
  }

  /** Reads what is on disk and opens the listeners; resolves with their URLs. */
  async start(): Promise<string[]> {
    this.day = Math.floor(this.now / DAY_MS)
    await this.sessionStore.load()
    const incarnation = Buffer.alloc(16)
    incarnation.writeBigUInt64BE(BigInt(this.hlc.next()), 0)
    randomBytes(8).copy(incarnation, 8)
    this.writer = incarnation
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    for (const url of this.config.listen) {
      const { tls, limits, mqtt } = this.config
      this.#listeners.push(
        await openListener(url, {
          ...(tls === undefined ? {} : { tls }),
          accept: (stream, info, head) => this.accept(stream, info, head),
          log: this.log,
          metrics: this.metrics,
          connectTimeout: limits.connect_timeout,
          maxPacketSize: mqtt.maximum_packet_size,
        }),
      )
    }
    return this.#listeners.map((listener) => listener.url)
  }

  /** Takes over a stream that speaks MQTT from here on; `head` has been read from it already. */
  accept(stream: Duplex, info: ConnectionInfo, head: Buffer | null): void {
    const connection = new Connection(this, stream, info)
    this.connections.add(connection)
    // Those over the limit are told so by CONNACK; those far over it are not even listened to.
    if (this.connections.size > this.config.limits.max_connections + REFUSED_AT_ONCE) {
      this.admission.opened()
      connection.destroy('far over limits.max_connections')
      return
    }
    connection.refusal = this.#draining
      ? ReasonCode.ServerShuttingDown
      : (this.admission.connecting(info) ?? 0)
    this.admission.opened()
    if (head !== null && head.length > 0) connection.receive(head)
  }

  // --- publishing -------------------------------------------------------------------------------------

  /** All there is to know about a topic of a connection; null: not a valid topic, or beyond the limits. */
  topicEntry(connection: Connection, d: Buffer, from: number, to: number): TopicEntry | null {
    const { mqtt } = this.config
    if (to - from > mqtt.max_topic_bytes || !isValidTopicBytes(d, from, to)) return null
    const name = d.toString('utf8', from, to)
    if (topicLevels(name) > mqtt.max_topic_levels) return null
    const { principal, session, space } = connection
    if (principal === null || session === null || space === null) return null
    const allowed = principal.acl.check('publish', name)
    if (!allowed) {
      this.log.warn(
        {
          event: 'acl.denied',
          access: 'publish',
          client: session.clientId,
          topic: name,
          detail: principal.acl.explain('publish', name).reason,
        },
        'publish denied',
      )
    }
    const topic = routedTopic(name, session.deviceId)
    return {
      bytes: Buffer.from(d.subarray(from, to)),
      topic,
      route: space.router.route(topic),
      allowed,
      sink: allowed ? this.conventions.sinkFor(principal, name) : null,
    }
  }

  /** Publishes a message that no connection brought (will, $SYS, platform). What it promises is staged when this returns. */
  publish(space: Space, message: Message): void {
    if (message.retain) {
      if (space.retained.full(message)) this.stats.dropped.retainedLimit.value++
      else space.retained.set(message)
    }
    deliverAll(space.router.route(message.topic), message, null)
  }

  /** When a message expires, milliseconds since 1970, 0: never; from its interval in seconds (3.3.2.3.3). */
  expiresAt(interval: number | undefined): number {
    const maximum = this.config.mqtt.message_expiry_maximum
    const seconds = maximum === 0 ? interval : Math.min(interval ?? maximum, maximum)
    return seconds === undefined ? 0 : this.now + seconds * 1000
  }

  nextSeq(): number {
    return ++this.#seq
  }

  nextEpoch(known: number): number {
    this.hlc.see(known)
    return this.hlc.next()
  }

  /** Writer of the QoS 2 messages that a session published under an epoch. */
  streamWriter(session: Session, epoch: number): Uint8Array {
    return hash128(`stream\0${Buffer.from(session.sid).toString('hex')}\0${epoch}`)
  }

  space(org: string): Space {
    let space = this.#spaces.get(org)
    if (space === undefined) this.#spaces.set(org, (space = new Space(this, org)))
    return space
  }

  spaces(): Iterable<Space> {
    return this.#spaces.values()
  }

  // --- the disk ---------------------------------------------------------------------------------------

  /** Calls `then` when a ticket of the group commit is durable; at once if it is. */
  whenDurable(ticket: number, then: () => void): void {
    if (ticket <= this.commit.through) then()
    else this.#durable.push({ ticket, then })
  }

  /** Calls `then` when what was staged just now is durable, at once if nothing was. */
  whenStaged(staged: boolean, then: () => void): void {
    if (staged) this.whenDurable(this.commit.ticket, then)
    else then()
  }

  /** Calls `then` when what the client has been sent is on its way, or a tick later. */
  whenDrained(connection: Connection, then: () => void): void {
    whenWritten(connection.stream, then)
  }

  /** The connection has acknowledgements that wait for the disk. */
  waitForDisk(connection: Connection): void {
    this.#waiting.add(connection)
  }

  /** Too much waits for the disk: this publisher waits too. */
  holdForDisk(connection: Connection): void {
    if (this.#diskHeld.has(connection)) return
    this.#diskHeld.add(connection)
    connection.holdSource()
  }

  saveWithBatch(outbox: DurableOutbox): void {
    this.#saves.push(outbox)
    this.commit.stage()
  }

  #stageSaves(): void {
    if (this.#saves.length === 0) return
    const saves = this.#saves
    this.#saves = []
    for (const outbox of saves) {
      this.dirtyOutboxes.delete(outbox)
      outbox.stageSave()
    }
  }

  #landed(through: number): void {
    while (this.#durableHead < this.#durable.length && this.#durable[this.#durableHead].ticket <= through) {
      this.#durable[this.#durableHead++].then()
    }
    if (this.#durableHead === this.#durable.length) {
      this.#durable.length = 0
      this.#durableHead = 0
    } else if (this.#durableHead > 4096) {
      this.#durable.splice(0, this.#durableHead)
      this.#durableHead = 0
    }
    for (const connection of this.#waiting)
      if (!connection.sendDurableAcks(through)) this.#waiting.delete(connection)
    if (this.#diskHeld.size > 0 && this.commit.staged * 2 < this.config.limits.unacknowledged_high) {
      for (const connection of this.#diskHeld) connection.releaseSource()
      this.#diskHeld.clear()
    }
  }

  // --- sessions ---------------------------------------------------------------------------------------

  /** A CONNECT was accepted. */
  connected(connection: Connection, session: Session, present: boolean): void {
    this.stats.connects.value++
    if (this.connections.size > this.mostConnections) this.mostConnections = this.connections.size
    this.log.debug(
      {
        event: 'client.connected',
        org: session.space.org,
        client: session.clientId,
        username: session.username,
        address: connection.info.remoteAddress,
        version: connection.version,
        present,
      },
      'client connected',
    )
  }

  /** The network connection has ended: the session goes on without it, or ends [MQTT-3.1.2-23]. */
  connectionGone(connection: Connection): void {
    this.connections.delete(connection)
    this.#waiting.delete(connection)
    this.#diskHeld.delete(connection)
    this.admission.closed()
    const { session } = connection
    if (session === null) return
    this.log.debug(
      {
        event: 'client.disconnected',
        org: session.space.org,
        client: session.clientId,
        detail: connection.cause ?? 'connection closed',
      },
      'client disconnected',
    )
    if (session.claimant === connection) {
      session.claimant = null
      session.will = null // its CONNECT was never accepted [MQTT-3.1.2-7]
    } else if (session.connection === connection) {
      session.connection = null
      session.outbox.detach()
    } else return
    if (session.ended) return
    // [MQTT-3.1.2-8], [MQTT-3.1.2-10]
    if (connection.willDiscarded) session.will = null
    if (this.#draining) {
      if (session.durable || session.will !== null) this.sessionStore.save(session, false, 0)
      else session.space.sessions.delete(session.clientId)
      return
    }
    if (session.expiry === 0) {
      this.endSession(session, 'connection closed')
      return
    }
    this.sessionStore.save(session, false, 0)
    if (session.will !== null) {
      if (session.will.delay === 0) this.#publishWill(session)
      else this.scheduleWill(session, Math.min(session.will.delay, session.expiry))
    }
    if (session.expiry !== NEVER) this.scheduleExpiry(session, session.expiry)
  }

  /** Ends a session and forgets all it had; its will is published now [MQTT-3.1.3-9 and 3.1.2.5]. */
  endSession(session: Session, reason: string): void {
    if (session.ended) return
    if (session.will !== null) this.#publishWill(session)
    session.ended = true
    this.cancelTimers(session)
    const { space } = session
    if (space.sessions.get(session.clientId) === session) space.sessions.delete(session.clientId)
    let shared = false
    for (const s of session.subscriptions()) {
      shared ||= s.group !== null
      space.router.remove(s)
    }
    if (shared) this.#redispatch(session)
    else if (session.sid.length > 0) this.sessionStore.remove(session)
    if (reason !== 'expired') return
    this.stats.sessionsExpired.value++
    this.log.debug({ event: 'session.expired', org: space.org, client: session.clientId }, 'session expired')
  }

  /** 4.8.2: what a member of a shared group has not acknowledged goes to another member. */
  #redispatch(session: Session): void {
    const { outbox, space } = session
    if (outbox instanceof MemoryOutbox) {
      for (const { group, out } of outbox.unsettledShared()) deliverShared(group, out.message, null)
      if (session.sid.length > 0) this.sessionStore.remove(session)
      return
    }
    if (!(outbox instanceof DurableOutbox)) return
    outbox.unsettledShared(REDISPATCH).then(
      (items) => {
        for (const { share, out } of items) {
          const { match, group: name } = parseFilter(share, null)
          const group = name === null ? undefined : space.router.group(name, match)
          if (group === undefined) this.stats.dropped.sessionEnded.value++
          else deliverShared(group, out.message, null)
        }
        this.sessionStore.remove(session)
      },
      (error: unknown) =>
        this.log.error(
          { event: 'session.end_failed', client: session.clientId, err: error },
          'cannot read an ended session',
        ),
    )
  }

  scheduleExpiry(session: Session, seconds: number): void {
    session.expiryTick = this.wheel.after(seconds * 1000, session)
  }

  scheduleWill(session: Session, seconds: number): void {
    const item = {
      due: () => {
        session.willTimer = null
        session.willGrace = false
        if (session.connection === null && session.will !== null) this.#publishWill(session)
      },
    }
    session.willTimer = { tick: this.wheel.after(seconds * 1000, item), item }
  }

  /** Nothing waits for this session's end any more. */
  cancelTimers(session: Session): void {
    if (session.expiryTick !== 0) this.wheel.cancel(session.expiryTick, session)
    session.expiryTick = 0
    if (session.willTimer !== null) this.wheel.cancel(session.willTimer.tick, session.willTimer.item)
    session.willTimer = null
  }

  discardWill(session: Session): void {
    session.will = null
    session.willGrace = false
  }

  #publishWill(session: Session): void {
    const will = session.will
    if (will === null) return
    session.will = null
    this.stats.willsPublished.value++
    const { message } = will
    const expiresAt = this.expiresAt(message.properties.messageExpiryInterval)
    this.publish(
      session.space,
      new Message(message.topic, message.payload, message.qos, message.retain, message.properties, expiresAt),
    )
    if (session.durable && !session.ended) this.sessionStore.save(session, session.connection !== null, 0)
  }

  /** Disconnects the clients that `which` names; returns how many. */
  kick(
    which: (connection: Connection) => boolean,
    reason: number = ReasonCode.AdministrativeAction,
    explanation = 'disconnected by an operator',
  ): number {
    let kicked = 0
    for (const connection of this.connections) {
      if (connection.phase === Phase.CLOSED || !which(connection)) continue
      connection.disconnect(reason, explanation)
      kicked++
    }
    return kicked
  }

  /** Disconnects a device whose key is not valid any more. */
  kickDevice(org: string, deviceId: string): number {
    return this.kick(
      (c) => c.principal?.org === org && c.principal.device?.id === deviceId,
      ReasonCode.NotAuthorized,
      'the key of this device was changed or deleted',
    )
  }

  /** A device was deleted: its connections and all its sessions end. */
  forgetDevice(org: string, deviceId: string): void {
    this.kickDevice(org, deviceId)
    for (const session of this.space(org).sessions.values()) {
      if (session.deviceId === deviceId) this.endSession(session, 'device deleted')
    }
  }

  /** Writes everything that the client with this id sends and receives to the log, or stops doing so. */
  traceClient(clientId: string, on: boolean): void {
    if (on) this.trace.watch(clientId)
    else this.trace.unwatch(clientId)
    for (const connection of this.connections) if (connection.clientId === clientId) connection.traced = on
  }

  // --- time -------------------------------------------------------------------------------------------

  #tick(): void {
    this.day = Math.floor(this.now / DAY_MS)
    // After a pause of the process (stopped, debugged) the time that nobody was served does not count.
    this.wheel.advance(this.wheel.now + 1)
    if (this.wheel.now % (1000 / TICK_MS) === 0) {
      for (const outbox of this.dirtyOutboxes) outbox.requestSave()
      this.dirtyOutboxes.clear()
      for (const output of this.outputLimits.slow) this.#watchStall(output)
    }
    const every = Math.round((this.config.sys_interval * 1000) / TICK_MS)
    if (every > 0 && this.wheel.now % every === 1 % every) this.#publishSys()
  }

  /** A receiver that takes nothing for `stall_timeout` no longer makes its publishers wait. */
  #watchStall(output: Output): void {
    const session = output instanceof Connection ? output.session : null
    const left = output.stream.writableLength + (session?.outbox.queued ?? 0)
    output.still = left >= output.watched && output.watched >= 0 ? output.still + 1 : 0
    output.watched = left
    if (output.still < this.config.limits.stall_timeout) return
    output.stalled = true
    output.releaseAll()
    this.log.warn(
      { event: 'client.stalled', client: session?.clientId },
      'client does not read: QoS 0 messages to it are dropped',
    )
  }

  #publishSys(): void {
    const space = this.space(this.config.organisation)
    for (const [topic, payload] of sysMessages(sysStats(this))) {
      const message = new Message(topic, Buffer.from(payload), 0, true)
      space.retained.setVolatile(message)
      deliverAll(space.router.route(topic), message, null)
    }
  }

  // --- the end ----------------------------------------------------------------------------------------

  /** Reads certificates again; open connections go on. */
  reload(): void {
    for (const listener of this.#listeners) {
      try {
        listener.reload?.()
      } catch (error) {
        this.log.error(
          { event: 'listener.reload_failed', listener: listener.url, err: error },
          'certificate not reloaded, the old one stays',
        )
      }
    }
  }

  /**
   * Ends in good order: no new connections, what was received is stored and acknowledged, MQTT 5 clients are told
   * (0x8B), sessions are saved, wills are held back. Resolves when all is on disk and the ports are free; after
   * `drain_timeout` at the latest it stops waiting for the disk.
   */
  async drain(): Promise<void> {
    if (this.#draining) return
    this.#draining = true
    this.log.info({ event: 'broker.draining', connections: this.connections.size }, 'draining')
    for (const listener of this.#listeners) listener.stopAccepting()
    const deadline = AbortSignal.timeout(this.config.limits.drain_timeout * 1000)
    await this.#settled(deadline)
    for (const connection of this.connections)
      connection.disconnect(ReasonCode.ServerShuttingDown, 'the server is shutting down')
    await this.#settled(deadline)
    if (this.#timer !== null) clearInterval(this.#timer)
    await Promise.all(this.#listeners.map((listener) => listener.close()))
    this.log.info({ event: 'broker.drained' }, 'drained')
  }

  /** Everything staged is on disk, or the deadline has come. */
  async #settled(deadline: AbortSignal): Promise<void> {
    if (deadline.aborted) return
    await Promise.race([
      this.commit.durable(),
      new Promise<void>((done) => deadline.addEventListener('abort', () => done(), { once: true })),
    ])
  }
}
