import type { Duplex } from 'node:stream'
import type { Authenticator } from '#platform/auth/principal.ts'
import { type Clock, HybridClock } from '#platform/clock.ts'
import type { Usage } from '#platform/limits/usage.ts'
import type { Logger } from '#platform/log.ts'
import type { Follower } from '#platform/messages.ts'
import type { Metrics } from '#platform/metrics.ts'
import type { Lanes } from '#platform/store/lanes.ts'
import type { Store } from '#platform/store/store.ts'
import type { Conventions } from '#platform/telemetry/conventions.ts'
import { systemTimers, type Timer, type Timers } from '#platform/timers.ts'
import { newIncarnation } from '#platform/cluster/incarnation.ts'
import { Admission } from './admission.ts'
import { Cell, type CellOptions } from './cluster/cell.ts'
import type { BrokerConfig } from './config.ts'
import { Connection, Phase } from './connection.ts'
import { deliverAll, deliverHere } from './deliver.ts'
import { Disk } from './disk.ts'
import { openListener } from './listeners/index.ts'
import type { CertificateTrust, ConnectionInfo, Listener } from './listeners/transport.ts'
import { closeExpired } from './expired.ts'
import { LogLimit } from './log-limit.ts'
import { Message } from './message.ts'
import type { QueueLimits } from './outbox/memory-outbox.ts'
import type { Output, OutputLimits } from './output.ts'
import { ReasonCode } from './packets/reason-code.ts'
import type { Session } from './session.ts'
import { SessionLifecycle } from './session-lifecycle.ts'
import { SessionStore } from './session-store.ts'
import { Space } from './space.ts'
import { Stats } from './stats.ts'
import { registerGauges, sysStats } from './status.ts'
import { sysMessages } from './sys-topics.ts'
import { Trace } from './trace.ts'
import { TICK_MS, Wheel } from './wheel.ts'

/** Connections beyond `max_connections` that may wait for their refusal. */
const REFUSED_AT_ONCE = 1024
const DAY_MS = 86_400_000
/** How often connections whose key has expired are looked for: every 2 s. */
const EXPIRY_TICKS = 2000 / TICK_MS
/** Number of the DC of a process that is alone. */
const OWN_DC = 1
/** Without a tick for this long the process stood still: others may have gone on without it. */
const STILL_MS = 1000
/** Who is not heard for so long is lost to the others. */
const LOST_MS = 3000
/** Clients that went while this process stood still have been noticed by then. */
const THOUGHT_DEAD_MS = 60_000
/** Stamps of the hybrid clock in a day. */
const STAMPS_PER_DAY = DAY_MS * 1024

export interface BrokerDeps {
  readonly config: BrokerConfig
  readonly store: Store
  readonly lanes: Lanes
  readonly authenticator: Authenticator
  readonly conventions: Conventions
  /** Of organisations; absent: only the listeners' own count. */
  readonly authorities?: CertificateTrust | undefined
  /** Hears what becomes of messages that the platform follows; absent: nobody follows any. */
  readonly follower?: Follower | undefined
  /** Counts what organisations use, and knows what they may; absent: there are no quotas. */
  readonly usage?: Usage | undefined
  readonly log: Logger
  readonly metrics: Metrics
  readonly clock: Clock
  readonly timers?: Timers
  /** Makes the broker one of several; absent: it is alone. */
  readonly cell?: CellOptions | undefined
}

/** Hears of connections whose CONNECT was accepted. */
export interface ConnectionWatcher {
  opened(connection: Connection, session: Session): void
  /** It is over; the session still is as the connection left it. */
  closed(connection: Connection, session: Session): void
}

/** An MQTT broker process: listeners, connections, sessions of all organisations, and their common clockwork. */
export class Broker {
  readonly config: BrokerConfig
  readonly store: Store
  readonly lanes: Lanes
  readonly authenticator: Authenticator
  readonly conventions: Conventions
  readonly follower: Follower | null
  readonly usage: Usage | null
  readonly log: Logger
  readonly metrics: Metrics
  readonly stats: Stats
  readonly trace: Trace
  readonly logLimit: LogLimit
  readonly admission: Admission
  readonly sessionStore: SessionStore
  readonly lifecycle: SessionLifecycle
  /** What waits for each lane. */
  readonly disks: readonly Disk[]
  readonly hlc: HybridClock
  readonly wheel = new Wheel()
  readonly queueLimits: QueueLimits
  readonly outputLimits: OutputLimits
  readonly connections = new Set<Connection>()
  watcher: ConnectionWatcher | null = null
  /** Called when it is known who this process is; before the first connection. */
  onStarted: () => void = () => undefined
  /** What to do when another process of the cell has this one's name. */
  onNameTaken: () => void = () => undefined
  readonly startedAt: number
  /** Most connections at a time. */
  mostConnections = 0
  /** This process incarnation; never used again. */
  writer: Uint8Array = new Uint8Array(0)
  /** Days since 1970: the partition of inboxes written now. Never goes back, also when clocks do. */
  day = 0
  readonly timers: Timers
  /** The other processes; null: there are none. */
  readonly cell: Cell | null
  readonly #clock: Clock
  readonly #spaces = new Map<string, Space>()
  readonly #listeners: Listener[] = []
  readonly #authorities: CertificateTrust | undefined
  #seq = 0
  /** When the last tick was, milliseconds of the monotonic clock. */
  #beat = 0
  /** Connections whose bytes wait until it is known what happened while this process stood still; null: none have to. */
  #standing: Set<Connection> | null = null
  #stoodAgain = false
  #thoughtDeadUntil = 0
  #awake: (() => void)[] = []
  #timer: Timer | null = null
  #draining = false

  constructor(deps: BrokerDeps) {
    this.config = deps.config
    this.store = deps.store
    this.lanes = deps.lanes
    this.authenticator = deps.authenticator
    this.conventions = deps.conventions
    this.#authorities = deps.authorities
    this.follower = deps.follower ?? null
    this.usage = deps.usage ?? null
    this.log = deps.log
    this.metrics = deps.metrics
    this.#clock = deps.clock
    this.timers = deps.timers ?? systemTimers
    this.startedAt = deps.clock.now()
    this.hlc = new HybridClock(deps.clock)
    if (deps.cell !== undefined) this.hlc.salt = Buffer.from(deps.cell.incarnation).readUInt16BE(14) % 1024
    this.stats = new Stats(deps.metrics)
    this.trace = new Trace(deps.log, () => deps.clock.now())
    this.logLimit = new LogLimit(deps.log, deps.clock)
    this.admission = new Admission(deps.config.limits, deps.clock, deps.metrics, deps.log)
    this.sessionStore = new SessionStore(this)
    this.lifecycle = new SessionLifecycle(this)
    const { mqtt, limits } = deps.config
    const { unacknowledged_rows: rows, unacknowledged_bytes: bytes } = limits
    this.disks = deps.lanes.all.map((commit) => new Disk(commit, { rows, bytes }))
    this.queueLimits = {
      messages: mqtt.max_queue_messages,
      bytes: mqtt.max_queue_bytes,
      policy: mqtt.queue_policy,
    }
    this.outputLimits = { high: limits.output_high, max: limits.output_max, slow: new Set() }
    this.cell = deps.cell === undefined ? null : new Cell(this, deps.cell)
    this.#beat = this.timers.monotonic()
    for (const clientId of deps.config.trace_clients) this.trace.watch(clientId)
    registerGauges(this)
  }

  /** Milliseconds since 1970. */
  get now(): number {
    return this.#clock.now()
  }

  get draining(): boolean {
    return this.#draining
  }

  /** Reads what is on disk and opens the listeners; resolves with their URLs. */
  async start(): Promise<string[]> {
    const bornAt = this.hlc.next()
    this.day = Math.floor(bornAt / STAMPS_PER_DAY)
    if (this.cell !== null) {
      this.writer = this.cell.incarnation
      this.cell.start()
    }
    await this.sessionStore.load()
    if (this.cell === null) {
      this.writer = newIncarnation(this.hlc.next(), OWN_DC)
      this.day = Math.floor(this.hlc.next() / STAMPS_PER_DAY)
      this.sessionStore.removeEnded()
    }
    this.#timer = this.timers.every(TICK_MS, () => this.#tick())
    this.onStarted()
    await this.cell?.join()
    for (const url of this.config.listen) {
      const { tls, limits, mqtt } = this.config
      this.#listeners.push(
        await openListener(url, {
          ...(tls === undefined ? {} : { tls }),
          trust: this.#authorities,
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
    // CONNACK has no code for shutting down (table 3-1).
    connection.refusal =
      this.#draining || this.cell?.ready === false
        ? ReasonCode.ServerUnavailable
        : (this.admission.connecting(info) ?? 0)
    this.admission.opened()
    if (head !== null && head.length > 0) connection.receive(head)
  }

  // --- publishing -------------------------------------------------------------------------------------

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

  /** Rows of inboxes written so far. */
  get appended(): number {
    return this.#seq
  }

  nextSeq(): number {
    return ++this.#seq
  }

  nextEpoch(known: number): number {
    this.hlc.see(known)
    return this.hlc.next()
  }

  /** Calls `then` when what was staged for the organisation just now is durable, and every other process in contact knows of it. */
  whenPromised({ disk }: Space, staged: boolean, then: () => void): void {
    if (this.cell === null) {
      disk.whenStaged(staged, then)
      return
    }
    let left = 2
    const done = (): void => {
      if (--left === 0) then()
    }
    disk.whenStaged(staged, done)
    this.cell.whenKnown(done)
  }

  space(org: string): Space {
    let space = this.#spaces.get(org)
    if (space === undefined) this.#spaces.set(org, (space = new Space(this, org)))
    return space
  }

  spaces(): Iterable<Space> {
    return this.#spaces.values()
  }

  /** What waits for the lane of this organisation. */
  diskOf(org: string): Disk {
    const commit = this.lanes.of(org)
    return this.disks.find((disk) => disk.commit === commit) as Disk
  }

  // --- sessions ---------------------------------------------------------------------------------------

  /** A CONNECT was accepted. */
  connected(connection: Connection, session: Session, present: boolean): void {
    this.stats.connects.value++
    this.watcher?.opened(connection, session)
    if (connection.traced)
      this.trace.packet(connection, 'state', `connected from ${connection.info.remoteAddress}`)
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

  /**
   * Disconnects a device whose key is not valid any more. `credential`: the key's hash, or the certificate's fingerprint,
   * hex: not who came with another; without a device all who came with it.
   */
  kickDevice(org: string, deviceId: string, credential?: string): number {
    return this.kick(
      ({ principal }) =>
        principal?.org === org &&
        (principal.device?.id === deviceId || (deviceId === '' && principal.credential === credential)) &&
        (credential === undefined || (principal.credential ?? credential) === credential),
      ReasonCode.NotAuthorized,
      'the key of this device was changed or deleted',
    )
  }

  /** A device was deleted: its connections and all its sessions end. */
  forgetDevice(org: string, deviceId: string): void {
    this.kickDevice(org, deviceId)
    for (const session of this.space(org).sessions.values()) {
      if (session.deviceId === deviceId) this.lifecycle.end(session, 'device deleted')
    }
  }

  /** Writes everything that the client with this id sends and receives to the log, or stops doing so. */
  traceClient(clientId: string, on: boolean): void {
    if (on) this.trace.watch(clientId)
    else this.trace.unwatch(clientId)
    this.traceAnew()
  }

  /** Who is traced has changed. */
  traceAnew(): void {
    for (const connection of this.connections) connection.traced = this.trace.wants(connection)
  }

  // --- standing still ---------------------------------------------------------------------------------

  /** Another process has this one's name: it must not go on. */
  nameTaken(): void {
    this.onNameTaken()
  }

  /**
   * This process stood still. Clients of other processes may have subscribed without waiting for it, so nothing is taken from
   * its own until the others have been heard (docs/cluster.md, section 8).
   */
  stoodStill(ms: number): void {
    if (this.cell === null) return
    if (ms >= LOST_MS) this.#thoughtDeadUntil = this.timers.monotonic() + THOUGHT_DEAD_MS
    if (this.#standing !== null) {
      this.#stoodAgain = true
      return
    }
    this.log.warn(
      { event: 'broker.stood_still', ms: Math.round(ms) },
      'stood still: clients wait for the cell',
    )
    const waiting = new Set<Connection>()
    this.#standing = waiting
    this.#catchUp(waiting)
  }

  #catchUp(waiting: ReadonlySet<Connection>): void {
    this.cell?.whenCaughtUp(() => {
      // What the others said before it stood still once more is not all.
      if (this.#stoodAgain) {
        this.#stoodAgain = false
        this.#catchUp(waiting)
        return
      }
      this.#standing = null
      for (const then of this.#awake.splice(0)) then()
      for (const connection of waiting) connection.resume()
    })
  }

  /** Others may have published wills of this process's clients: lately it stood still for as long as makes it silent to them. */
  get thoughtDead(): boolean {
    return this.timers.monotonic() < this.#thoughtDeadUntil
  }

  /** Calls `then` when what this process has missed while it stood still is known: at once if it did not stand still. */
  whenAwake(then: () => void): void {
    if (this.#standsStill()) this.#awake.push(then)
    else then()
  }

  #standsStill(): boolean {
    if (this.cell === null) return false
    if (this.#standing === null) {
      const still = this.timers.monotonic() - this.#beat
      if (still < STILL_MS) return false
      // Their silence counts from now on, too.
      this.cell.channels.checkStall()
      this.stoodStill(still)
    }
    // Nobody may be there to wait for.
    return this.#standing !== null
  }

  /** Whether what this connection has sent must wait; it will be resumed. */
  mustWait(connection: Connection): boolean {
    if (!this.#standsStill()) return false
    const waiting: Set<Connection> | null = this.#standing
    if (waiting === null) return false
    if (!waiting.has(connection)) {
      waiting.add(connection)
      connection.holdSource()
    }
    return true
  }

  // --- time -------------------------------------------------------------------------------------------

  #tick(): void {
    const now = this.timers.monotonic()
    if (now - this.#beat > STILL_MS) this.stoodStill(now - this.#beat)
    this.#beat = now
    this.day = Math.max(this.day, Math.floor(this.now / DAY_MS))
    // After a pause of the process (stopped, debugged) the time that nobody was served does not count.
    this.wheel.advance(this.wheel.now + 1)
    if (this.wheel.now % (1000 / TICK_MS) === 0) {
      for (const disk of this.disks) disk.saveChanged()
      for (const output of this.outputLimits.slow) this.#watchStall(output)
      if (this.wheel.now % EXPIRY_TICKS === 0) closeExpired(this.connections, this.now)
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
    this.logLimit.warn(
      'stalled',
      { event: 'client.stalled', client: session?.clientId },
      'client does not read: QoS 0 messages to it are dropped',
    )
  }

  #publishSys(): void {
    const space = this.space(this.config.organisation)
    for (const [topic, payload] of sysMessages(sysStats(this))) {
      const message = new Message(topic, Buffer.from(payload), 0, true)
      space.retained.setVolatile(message)
      deliverHere(space.router.route(topic), message)
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
    await Promise.all(this.disks.map((disk) => this.#drainLane(disk, deadline)))
    this.#timer?.cancel()
    await Promise.all(this.#listeners.map((listener) => listener.close()))
    await this.cell?.leave()
    this.log.info({ event: 'broker.drained' }, 'drained')
  }

  /** Clients of a lane that waits for other DCs keep nobody else from an end in good order. */
  async #drainLane(disk: Disk, deadline: AbortSignal): Promise<void> {
    await settled(disk, deadline)
    for (const connection of this.connections) {
      if (connection.space === null || connection.space.disk === disk)
        connection.disconnect(ReasonCode.ServerShuttingDown, 'the server is shutting down')
    }
    await settled(disk, deadline)
  }
}

/** Everything staged in this lane is on disk, or the deadline has come. */
async function settled({ commit }: Disk, deadline: AbortSignal): Promise<void> {
  if (deadline.aborted) return
  await Promise.race([
    commit.durable(),
    new Promise<void>((done) => deadline.addEventListener('abort', () => done(), { once: true })),
  ])
}
