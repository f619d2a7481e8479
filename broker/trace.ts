import type { Logger } from '#platform/log.ts'
import type { Connection } from './connection.ts'

/** Clients that may be watched at a time: somebody reads these lines. */
const MAX_WATCHED = 1000
/** Those who may follow clients at a time. */
const MAX_FOLLOWERS = 100

export type Direction = 'in' | 'out' | 'state'

/** What happened to a client that is followed. */
export interface TraceLine {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly client: string
  /** `in`: from the client. */
  readonly direction: Direction
  readonly summary: string
}

/** A client, or all clients of a device, of an organisation. */
export interface TraceTarget {
  readonly org: string
  readonly client: string | null
  readonly device: string | null
}

interface Follower {
  readonly target: TraceTarget
  readonly line: (line: TraceLine) => void
}

/** Tells what clients send and receive, one line per event: those that are watched to the log, those that are followed to who does. */
export class Trace {
  /** Whether anybody is watched or followed; the only thing that the data path looks at while nobody is. */
  active = false
  readonly #watched = new Set<string>()
  readonly #followers = new Set<Follower>()
  readonly #log: Logger
  readonly #now: () => number

  constructor(log: Logger, now: () => number = Date.now) {
    this.#log = log
    this.#now = now
  }

  /** Watches the client id in every organisation. Throws when 1,000 are watched already. */
  watch(clientId: string): void {
    if (this.#watched.size >= MAX_WATCHED && !this.#watched.has(clientId))
      throw new Error(`${MAX_WATCHED} clients are traced already; stop tracing one of them first`)
    this.#watched.add(clientId)
    this.active = true
  }

  unwatch(clientId: string): void {
    this.#watched.delete(clientId)
    this.#look()
  }

  isWatched(clientId: string): boolean {
    return this.active && this.#watched.has(clientId)
  }

  /** Follows a target until the returned function is called. Null: 100 follow somebody already. */
  follow(target: TraceTarget, line: (line: TraceLine) => void): (() => void) | null {
    if (this.#followers.size >= MAX_FOLLOWERS) return null
    const follower = { target, line }
    this.#followers.add(follower)
    this.active = true
    return () => {
      this.#followers.delete(follower)
      this.#look()
    }
  }

  /** Whether somebody wants to hear of this connection. */
  wants(connection: Connection): boolean {
    if (!this.active || connection.session === null) return false
    if (this.#watched.has(connection.clientId)) return true
    for (const { target } of this.#followers) if (concerns(target, connection)) return true
    return false
  }

  /** `in`: from the client. Callers that must build `summary` ask `isWatched` first. */
  event(clientId: string, direction: Direction, summary: string): void {
    if (this.isWatched(clientId)) this.#log.info({ event: 'trace', client: clientId, direction }, summary)
  }

  /** Something of a connection that is traced. */
  packet(connection: Connection, direction: Direction, summary: string): void {
    const client = connection.clientId
    this.event(client, direction, summary)
    if (this.#followers.size === 0) return
    const line = { at: this.#now(), client, direction, summary }
    for (const follower of this.#followers) if (concerns(follower.target, connection)) follower.line(line)
  }

  #look(): void {
    this.active = this.#watched.size + this.#followers.size > 0
  }
}

function concerns({ org, client, device }: TraceTarget, { session, principal }: Connection): boolean {
  if (session === null || session.space.org !== org) return false
  if (client !== null && session.clientId !== client) return false
  return device === null || principal?.device?.id === device
}
