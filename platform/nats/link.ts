import { isIP } from 'node:net'
import {
  connect,
  type Msg,
  type NatsConnection,
  type NodeConnectionOptions,
  nkeyAuthenticator,
  PermissionViolationError,
  type TlsOptions,
} from '@nats-io/transport-node'
import { LinkError, linkError } from './link-error.ts'
import { greeting } from './server/probe.ts'

/** A server that has accepted the connection but says nothing for so long is taken for frozen. */
const GREETING_TIMEOUT_MS = 1500
/** For the rest: TLS, authentication, subscriptions. */
const CONNECT_TIMEOUT_MS = 3000
/** The server is asked whether it has read everything when this much has been sent since the last time. */
const CONFIRM_BYTES = 1 << 20

/** What a link tells the bus that uses it. */
export interface LinkListener {
  /** A frame; the bytes are valid during the call only. */
  frame(frame: Buffer): void
  /** The server is about to go: it wants its clients elsewhere. */
  lameDuck(link: Link): void
  /** The server does not let this process publish to a subject: at the first frame that it drops. */
  refused(link: Link, error: LinkError): void
  /** The connection is over. Not called after `abandon`. */
  ended(link: Link, error: LinkError): void
}

export interface LinkOptions {
  /** Name of this process, for those who look at the server's connections. */
  readonly name: string
  readonly tls: { readonly caFile: string } | undefined
  readonly nkeySeed: string | undefined
  /** The subject of frames for this process. */
  readonly direct: string
  /** The subject of frames for all; those that were published with `mark` are this process's own and not heard. */
  readonly broadcast: string
  readonly mark: string
}

/**
 * One connection to one nats-server, that ends when it ends: the choice of a server, and trying again, are the bus's.
 * (The client's own reconnection could not do it: it hangs behind a frozen server when much was to be sent, tells
 * busy receivers from dead servers by answers to pings only, and drops what was published meanwhile without a word.)
 */
export class Link {
  /** `host:port` */
  readonly server: string
  /** Largest frame that the server passes on. */
  readonly maxFrame: number
  /** The server said that it is about to go. */
  lame = false
  /** Bytes given to the connection so far, and those of them that the server has read for certain. */
  sentBytes = 0
  confirmedBytes = 0
  #heard = true
  #silentTicks = 0
  #confirming = false
  #abandoned = false
  #told = false
  #lastError: Error | undefined
  readonly #connection: NatsConnection
  readonly #listener: LinkListener
  readonly #options: LinkOptions

  private constructor(
    server: string,
    connection: NatsConnection,
    listener: LinkListener,
    options: LinkOptions,
  ) {
    this.server = server
    this.maxFrame = connection.info?.max_payload ?? 0
    this.#connection = connection
    this.#listener = listener
    this.#options = options
  }

  /**
   * Connects, and subscribes: frames come from here on, also before this resolves.
   *
   * @throws LinkError
   */
  static async open(server: string, options: LinkOptions, listener: LinkListener): Promise<Link> {
    let connection: NatsConnection
    try {
      // The client leaves the socket of an attempt that timed out open: none at all to a frozen server.
      await greeting(server, GREETING_TIMEOUT_MS)
      connection = await connect(connectionOptions(server, options))
    } catch (error) {
      throw linkError(error, server, options)
    }
    const link = new Link(server, connection, listener, options)
    try {
      await link.#subscribe()
      return link
    } catch (error) {
      link.abandon()
      throw linkError(link.#lastError ?? error, server, options)
    }
  }

  /** Nothing goes or comes any more. */
  get over(): boolean {
    return this.#abandoned
  }

  /** Bytes that the server may not have read yet. */
  get waitingBytes(): number {
    return this.sentBytes - this.confirmedBytes
  }

  /** Puts a frame into the connection's buffer. Keeps a reference to its bytes until the end of this turn. */
  publish(subject: string, frame: Uint8Array, mark?: string): void {
    this.#connection.publish(subject, frame, mark === undefined ? undefined : { reply: mark })
    this.sentBytes += frame.length
    if (this.sentBytes - this.confirmedBytes >= CONFIRM_BYTES) this.#confirm()
  }

  /**
   * To be called once a second: asks for a sign of life, and says for how many calls in a row none has come. Counted
   * in calls, not in time, so that a process that stood still itself does not blame its server.
   */
  tick(): number {
    this.#silentTicks = this.#heard ? 0 : this.#silentTicks + 1
    this.#heard = false
    this.#confirm()
    return this.#silentTicks
  }

  /** Sends what is buffered, then ends the connection; gives up on the first after `ms`. */
  async close(ms: number): Promise<void> {
    const flushed = this.#connection.flush().catch(() => undefined)
    await within(ms, flushed)
    this.abandon()
  }

  /** Ends the connection without a look back; nothing is heard from it any more. */
  abandon(): void {
    this.#abandoned = true
    // Waits for what was written to a frozen server; nobody waits for it.
    this.#connection.close().catch(() => undefined)
  }

  async #subscribe(): Promise<void> {
    void this.#watch()
    void this.#connection.closed().then((error) => {
      if (this.#abandoned) return
      this.#abandoned = true
      const cause = error instanceof Error ? error : this.#lastError
      this.#listener.ended(this, linkError(cause, this.server, this.#options))
    })
    this.#connection.subscribe(this.#options.direct, { callback: this.#received })
    this.#connection.subscribe(this.#options.broadcast, { callback: this.#receivedByAll })
    if (!(await within(CONNECT_TIMEOUT_MS, this.#connection.flush())))
      throw new Error(`does not answer within ${CONNECT_TIMEOUT_MS} ms`)
    if (this.#lastError !== undefined) throw this.#lastError
  }

  readonly #received = (error: Error | null, message: Msg): void => {
    this.#heard = true
    if (error !== null) this.#lastError ??= error
    if (error !== null || this.#abandoned) return
    const { data } = message
    this.#listener.frame(
      Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength),
    )
  }

  /** Apart from the other because to look at the mark decodes it. */
  readonly #receivedByAll = (error: Error | null, message: Msg): void => {
    if (error !== null || message.reply !== this.#options.mark) this.#received(error, message)
  }

  async #watch(): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (status.type === 'ldm') {
        this.lame = true
        if (!this.#abandoned) this.#listener.lameDuck(this)
      } else if (status.type === 'error') {
        if (!(status.error instanceof PermissionViolationError)) this.#lastError = status.error
        else if (status.error.operation === 'publish') this.#publishRefused(status.error)
      }
    }
  }

  /** Said once, not for every frame. */
  #publishRefused(error: PermissionViolationError): void {
    if (this.#told || this.#abandoned) return
    this.#told = true
    this.#listener.refused(this, linkError(error, this.server, this.#options))
  }

  /** One question at a time, so that there is no promise per frame. */
  #confirm(): void {
    if (this.#confirming || this.#abandoned) return
    this.#confirming = true
    const through = this.sentBytes
    this.#connection.flush().then(
      () => {
        this.#confirming = false
        this.#heard = true
        this.confirmedBytes = through
        if (this.waitingBytes >= CONFIRM_BYTES) this.#confirm()
      },
      () => {
        this.#confirming = false
      },
    )
  }
}

function connectionOptions(server: string, options: LinkOptions): NodeConnectionOptions {
  const host = server.slice(0, server.lastIndexOf(':')).replace(/^\[|\]$/g, '')
  // The client names no host for an address, and Node would compare the certificate with `localhost`.
  const verify: object = isIP(host) === 0 ? {} : { host }
  const tls: TlsOptions | undefined =
    options.tls === undefined ? undefined : { caFile: options.tls.caFile, ...verify }
  return {
    servers: [server],
    name: options.name,
    reconnect: false,
    noEcho: true,
    ignoreClusterUpdates: true,
    noAsyncTraces: true,
    timeout: CONNECT_TIMEOUT_MS,
    // The bus asks once a second; this is for a connection that nobody looks after any more.
    pingInterval: 10_000,
    maxPingOut: 2,
    ...(tls === undefined ? {} : { tls }),
    ...(options.nkeySeed === undefined
      ? {}
      : { authenticator: nkeyAuthenticator(new TextEncoder().encode(options.nkeySeed)) }),
  }
}

/** Whether it resolved within `ms`; a rejection is passed on. */
async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, ms, false)
  })
  try {
    return await Promise.race([work.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}
