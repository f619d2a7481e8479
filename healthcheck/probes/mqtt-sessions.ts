import type { Duplex } from 'node:stream'
import type { MqttTransport } from '../checker/config.ts'
import type { Access } from './access.ts'
import { connect } from './connect.ts'
import { MqttSession } from './mqtt-session.ts'
import { answered } from './patience.ts'
import type { Target } from './probe.ts'

/** A connection is used for this long, then a new one must be had: what can be kept says nothing about what can be made. */
export const renewMs = 30_000
/** After that an old one is closed: whoever had it still waits on it, for as long as probes may take. */
const retireMs = 15_000
/** Seconds; the looks themselves are the signs of life. */
const keepAlive = 600
/** Where the API takes MQTT over WebSocket. */
const webSocketPath = '/mqtt'

interface Held {
  readonly session: MqttSession
  readonly since: number
  /** 0 or 1 in turn, in its client id: the one before is still there and must not be taken for this one. */
  readonly turn: number
}

/**
 * The checker's MQTT connections, one for each host and transport, shared by the probes. Those that end by themselves
 * are told to `lost`: that is news about the host.
 */
export class MqttSessions {
  readonly #access: Access
  readonly #lost: (host: string) => void
  readonly #held = new Map<string, Held>()
  readonly #opening = new Map<string, Promise<MqttSession>>()
  readonly #retired = new Map<MqttSession, NodeJS.Timeout>()
  readonly #stop = new AbortController()

  constructor(access: Access, lost: (host: string) => void) {
    this.#access = access
    this.#lost = lost
  }

  /** One that is not older than 30 seconds; opens one if there is none. */
  async use(target: Target, transport: MqttTransport, signal: AbortSignal): Promise<MqttSession> {
    const key = `${target.host.name} ${transport}`
    const held = this.#held.get(key)
    const fresh = held !== undefined && performance.now() - held.since < renewMs
    if (fresh && !held.session.closed) return held.session
    let opening = this.#opening.get(key)
    if (opening === undefined) {
      this.#held.delete(key)
      opening = this.#renew(key, held, target, transport)
      this.#opening.set(key, opening)
    }
    return abortable(opening, signal)
  }

  /** Closes all, and ends what is being opened. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('stopped'))
    await Promise.allSettled(this.#opening.values())
    for (const { session } of this.#held.values()) session.close()
    for (const [session, timer] of this.#retired) {
      clearTimeout(timer)
      session.close()
    }
    this.#held.clear()
    this.#retired.clear()
  }

  async #renew(
    key: string,
    old: Held | undefined,
    target: Target,
    transport: MqttTransport,
  ): Promise<MqttSession> {
    if (old !== undefined) this.#retire(old.session)
    const turn = old === undefined ? 0 : 1 - old.turn
    try {
      const session = await this.#open(target, transport, turn)
      this.#held.set(key, { session, since: performance.now(), turn })
      return session
    } finally {
      this.#opening.delete(key)
    }
  }

  #retire(session: MqttSession): void {
    if (session.closed) return
    const timer = setTimeout(() => {
      this.#retired.delete(session)
      session.close()
    }, retireMs)
    this.#retired.set(session, timer)
  }

  async #open(target: Target, transport: MqttTransport, turn: number): Promise<MqttSession> {
    const { checker, device } = this.#access
    const { signal } = this.#stop
    const stream = await this.#stream(target, transport, signal)
    const clientId = `health-${checker}-${target.host.name}-${transport}-${turn}`
    const login = { clientId, username: '', password: device.key, keepAlive }
    const lost = (): void => this.#lost(target.host.name)
    return answered(signal, `${target.host.address} does not answer CONNECT (${transport})`, (limited) =>
      MqttSession.open(stream, login, lost, limited),
    )
  }

  async #stream({ host }: Target, transport: MqttTransport, signal: AbortSignal): Promise<Duplex> {
    const { inventory, serviceName, tls } = this.#access
    const { ports } = inventory
    if (transport !== 'ws') {
      const secure = transport === 'tls'
      const port = secure ? ports.mqtts : ports.mqtt
      return connect(this.#access, { address: host.address, port, tls: secure }, signal)
    }
    const port = tls ? ports.https : ports.http
    const socket = await connect(this.#access, { address: host.address, port, tls }, signal)
    const { upgrade } = await import('./web-socket.ts')
    return answered(signal, `${host.address} does not answer the upgrade to WebSocket`, (limited) =>
      upgrade(socket, `${serviceName}${webSocketPath}`, limited),
    )
  }
}

/** The promise, or the reason of the signal, whatever comes first. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error)
    const abort = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
