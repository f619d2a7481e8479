import { nkeys } from '@nats-io/transport-node'
import type { Bus } from '../cluster/bus.ts'
import type { Logger } from '../log.ts'
import type { Counter, Metrics } from '../metrics.ts'
import { Link, type LinkListener, type LinkOptions } from './link.ts'
import type { LinkError } from './link-error.ts'
import { takesClients } from './server/probe.ts'
import { broadcastSubject, directSubject, SUBJECT_PREFIX } from './subjects.ts'

const MAX_FRAME = 1 << 20
/**
 * Bytes sent that the server has not read yet; beyond it frames are dropped. A server on the same host reads hundreds
 * of megabytes in a second, so that more means that it, or this machine, stands still.
 */
const MAX_WAITING_BYTES = 32 << 20
const RETRY_MS = 200
/** When a person must change something first. */
const RETRY_REFUSED_MS = 2000
const TICK_MS = 1000
/** Ticks without a sign of life after which a connected server is taken for frozen. */
const SILENT_TICKS = 4
/** Ticks that the own server must be up before we go back to it: its gateways to the others need 1 to 2 s. */
const HOME_TICKS = 5
/** What others send goes to the server that we leave, until the news of the move is everywhere. */
const LINGER_MS = 1000
const CLOSE_MS = 1000

const ADDRESS = /^[A-Za-z0-9_-]{1,64}$/
const SERVER = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/

export interface NatsBusOptions {
  /** `host:port` of the server of this host, then of others that may be used while it is away (the sibling's). */
  readonly servers: readonly string[]
  /** Address of this process: letters, digits, `_` and `-`. */
  readonly address: string
  /** Where the servers speak TLS: the PEM file of the authority that their certificates are from. */
  readonly tls?: { readonly caFile: string }
  /** Seed (`SU...`) of a user of the servers, where they want one. */
  readonly nkeySeed?: string
  /** Before all subjects, so that cells can share servers. */
  readonly subjectPrefix?: string
  readonly log: Logger
  readonly metrics: Metrics
}

/**
 * The bus on core NATS. Uses the first server as long as it is there, another one when it is gone, frozen for 4 s or
 * about to go (lame duck), and goes back when it has been up again for 5 s. A planned move loses nothing: the new
 * connection hears before the old one ends; frames may come twice meanwhile.
 *
 * Resolves when it is connected, or when every server has been tried once: then it goes on trying.
 *
 * @throws Error naming the option that is wrong
 */
export async function openNatsBus(options: NatsBusOptions): Promise<Bus> {
  checkOptions(options)
  const bus = new NatsBus(options)
  await bus.start()
  return bus
}

type Drop = 'disconnected' | 'overloaded' | 'too_large'

class NatsBus implements Bus, LinkListener {
  readonly address: string
  readonly #servers: readonly string[]
  readonly #linkOptions: LinkOptions
  readonly #directPrefix: string
  readonly #broadcastSubject: string
  readonly #log: Logger
  readonly #metrics: Metrics
  readonly #dropped: Record<Drop, Counter>
  readonly #sentFrames: Counter
  readonly #sentBytes: Counter
  readonly #receivedFrames: Counter
  readonly #receivedBytes: Counter
  readonly #listenerFailures: Counter
  /** What was last said about each server that could not be reached: said again only if it changes. */
  readonly #said = new Map<string, string>()
  readonly #leaving = new Map<Link, NodeJS.Timeout>()
  #listener: ((frame: Buffer) => void) | null = null
  #link: Link | null = null
  /** The server to try last, because it has just failed us without closing. */
  #avoided: string | null = null
  #moving = false
  #homeTicks = 0
  #probing = false
  #closed = false
  #ticker: NodeJS.Timeout | null = null
  #retry: NodeJS.Timeout | null = null

  constructor(options: NatsBusOptions) {
    const { address, log, metrics, subjectPrefix: prefix } = options
    this.address = address
    this.#servers = options.servers
    this.#directPrefix = directSubject(prefix, '')
    this.#broadcastSubject = broadcastSubject(prefix)
    this.#linkOptions = {
      name: address,
      tls: options.tls,
      nkeySeed: options.nkeySeed,
      direct: directSubject(prefix, address),
      broadcast: this.#broadcastSubject,
      mark: address,
    }
    this.#log = log
    this.#metrics = metrics
    const dropped = (reason: Drop): Counter =>
      metrics.counter('cinque_bus_dropped_frames_total', 'Frames that were not sent, by reason', { reason })
    this.#dropped = {
      disconnected: dropped('disconnected'),
      overloaded: dropped('overloaded'),
      too_large: dropped('too_large'),
    }
    this.#sentFrames = metrics.counter('cinque_bus_sent_frames_total', 'Frames given to the bus')
    this.#sentBytes = metrics.counter('cinque_bus_sent_bytes_total', 'Bytes of frames given to the bus')
    this.#receivedFrames = metrics.counter('cinque_bus_received_frames_total', 'Frames that came by the bus')
    this.#receivedBytes = metrics.counter('cinque_bus_received_bytes_total', 'Bytes of frames that came')
    this.#listenerFailures = metrics.counter(
      'cinque_bus_listener_failures_total',
      'Frames at which the listener threw: a fault of the program',
    )
    metrics.gauge('cinque_bus_connected', 'Whether the bus can be reached', () => Number(this.connected))
    metrics.gauge('cinque_bus_away', 'Whether it is reached by another nats-server than the own', () =>
      Number(this.#link !== null && this.#link.server !== this.#servers[0]),
    )
  }

  get connected(): boolean {
    return this.#link !== null
  }

  get maxFrame(): number {
    return this.#link === null ? MAX_FRAME : Math.min(MAX_FRAME, this.#link.maxFrame)
  }

  /** Tries every server once, then goes on in the background. */
  async start(): Promise<void> {
    this.#ticker = setInterval(this.#tick, TICK_MS)
    await this.#dial()
  }

  send(to: string, frame: Uint8Array): void {
    this.#publish(this.#directPrefix + to, frame, undefined)
  }

  broadcast(frame: Uint8Array): void {
    this.#publish(this.#broadcastSubject, frame, this.address)
  }

  receive(listener: (frame: Buffer) => void): void {
    this.#listener = listener
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    if (this.#ticker !== null) clearInterval(this.#ticker)
    if (this.#retry !== null) clearTimeout(this.#retry)
    for (const [link, timer] of this.#leaving) {
      clearTimeout(timer)
      link.abandon()
    }
    this.#leaving.clear()
    const link = this.#link
    this.#link = null
    await link?.close(CLOSE_MS)
  }

  #publish(subject: string, frame: Uint8Array, mark: string | undefined): void {
    const link = this.#link
    if (link === null) this.#dropped.disconnected.value++
    else if (frame.length > this.maxFrame) this.#dropped.too_large.value++
    else if (link.waitingBytes + frame.length > MAX_WAITING_BYTES) this.#dropped.overloaded.value++
    else {
      try {
        link.publish(subject, frame, mark)
      } catch {
        // The connection has just been closed, its `ended` is on the way.
        this.#dropped.disconnected.value++
        return
      }
      this.#sentFrames.value++
      this.#sentBytes.value += frame.length
    }
  }

  /** From a link. */
  frame(frame: Buffer): void {
    if (this.#closed) return
    this.#receivedFrames.value++
    this.#receivedBytes.value += frame.length
    try {
      this.#listener?.(frame)
    } catch (error) {
      // Thrown on, it would end the client's reader, and the connection would stay open and deaf.
      this.#listenerFailures.value++
      this.#log.error({ event: 'bus.listener', error }, 'the listener of the bus threw')
    }
  }

  /** From a link. */
  lameDuck(link: Link): void {
    if (link === this.#link) this.#leave('lame_duck')
  }

  /** From a link. */
  refused(link: Link, error: LinkError): void {
    this.#say(link.server, error)
  }

  /** From a link. */
  ended(link: Link, error: LinkError): void {
    const timer = this.#leaving.get(link)
    clearTimeout(timer)
    this.#leaving.delete(link)
    if (link === this.#link) this.#lost('lost', error.message)
  }

  readonly #tick = (): void => {
    const link = this.#link
    if (link === null) return
    if (link.tick() >= SILENT_TICKS) {
      this.#avoided = link.server
      link.abandon()
      this.#lost('silent', `nats-server ${link.server}: has been silent for ${SILENT_TICKS} s`)
    } else if (link.lame) this.#leave('lame_duck')
    else if (link.server !== this.#servers[0]) void this.#lookHome()
  }

  #lost(why: string, message: string): void {
    this.#link = null
    this.#count(why)
    this.#log.warn({ event: 'bus.lost', why }, message)
    void this.#dial()
  }

  /** Tries the servers in turn until one takes us; resolves after the first round, whatever comes of it. */
  async #dial(): Promise<void> {
    let refused = false
    for (const server of this.#order()) {
      if (this.#closed || this.#link !== null) return
      try {
        this.#adopt(await Link.open(server, this.#linkOptions, this))
        return
      } catch (error) {
        refused ||= (error as LinkError).refused
        this.#say(server, error as LinkError)
      }
    }
    this.#avoided = null
    if (this.#closed || this.#link !== null) return
    this.#retry = setTimeout(() => void this.#dial(), refused ? RETRY_REFUSED_MS : RETRY_MS)
  }

  #order(): readonly string[] {
    if (this.#avoided === null) return this.#servers
    return [...this.#servers.filter((server) => server !== this.#avoided), this.#avoided]
  }

  /** Moves from a server that is about to go to any other. */
  #leave(why: string): void {
    const here = this.#link?.server
    this.#avoided = here ?? null
    void this.#move(
      this.#servers.filter((server) => server !== here),
      why,
    )
  }

  /** Counts for how long the own server has been up, and moves there. */
  async #lookHome(): Promise<void> {
    if (this.#probing || this.#moving) return
    this.#probing = true
    this.#homeTicks = (await takesClients(this.#servers[0], TICK_MS)) ? this.#homeTicks + 1 : 0
    this.#probing = false
    if (this.#homeTicks < HOME_TICKS) return
    this.#homeTicks = 0
    await this.#move([this.#servers[0]], 'home')
  }

  /** Opens a link to one of `servers` while the present one goes on. */
  async #move(servers: readonly string[], why: string): Promise<void> {
    if (this.#moving) return
    this.#moving = true
    for (const server of servers) {
      try {
        const link = await Link.open(server, this.#linkOptions, this)
        this.#count(why)
        this.#adopt(link)
        break
      } catch (error) {
        this.#say(server, error as LinkError)
      }
    }
    this.#moving = false
  }

  /** Sends by this link from now on; the one before hears on for a while. */
  #adopt(link: Link): void {
    if (this.#closed) {
      link.abandon()
      return
    }
    const before = this.#link
    this.#link = link
    if (before !== null) this.#retire(before)
    if (link.over) {
      this.#lost('lost', `nats-server ${link.server}: the connection was closed`)
      return
    }
    this.#homeTicks = 0
    this.#avoided = null
    this.#said.clear()
    this.#log.info({ event: 'bus.connected', server: link.server }, `connected to nats-server ${link.server}`)
    if (link.maxFrame < MAX_FRAME)
      this.#log.error(
        { event: 'bus.max_payload', server: link.server },
        `nats-server ${link.server}: max_payload is ${link.maxFrame}, set it to ${MAX_FRAME}`,
      )
  }

  #retire(link: Link): void {
    const timer = setTimeout(() => {
      this.#leaving.delete(link)
      void link.close(CLOSE_MS)
    }, LINGER_MS)
    this.#leaving.set(link, timer)
  }

  #say(server: string, error: LinkError): void {
    if (this.#closed || this.#said.get(server) === error.message) return
    this.#said.set(server, error.message)
    this.#log.warn({ event: 'bus.unreachable', server, refused: error.refused }, error.message)
  }

  #count(why: string): void {
    this.#metrics.counter('cinque_bus_moves_total', 'Connections to NATS left, by reason', { why }).value++
  }
}

function checkOptions(options: NatsBusOptions): void {
  if (!ADDRESS.test(options.address))
    throw new Error(`bus: address: "${options.address}" must be 1 to 64 letters, digits, _ and -`)
  if (options.servers.length === 0) throw new Error('bus: servers: give host:port of a nats-server')
  for (const server of options.servers)
    if (!SERVER.test(server)) throw new Error(`bus: servers: "${server}" must be host:port`)
  if (options.subjectPrefix !== undefined && !SUBJECT_PREFIX.test(options.subjectPrefix))
    throw new Error(
      `bus: subjectPrefix: "${options.subjectPrefix}" must be letters, digits, - and _, parts joined by dots`,
    )
  if (options.nkeySeed === undefined) return
  try {
    nkeys.fromSeed(new TextEncoder().encode(options.nkeySeed))
  } catch (error) {
    throw new Error('bus: nkeySeed: is not the seed of an nkey: it starts with SU and has 58 letters', {
      cause: error,
    })
  }
}
