import type { Clock } from '#platform/clock.ts'
import type { Logger } from '#platform/log.ts'
import type { Counter, Metrics } from '#platform/metrics.ts'
import type { LimitsConfig } from './config.ts'
import type { ConnectionInfo } from './listeners/transport.ts'
import { Refusals } from './refusals.ts'

/** MQTT 5.0, table 2-6. */
const SERVER_UNAVAILABLE = 0x88
const BANNED = 0x8a
const CONNECTION_RATE_EXCEEDED = 0x9f

/** Clients whose connects are counted, and bans of either kind; some 200 bytes each. */
const MAX_ENTRIES = 65_536

type BanKind = 'client' | 'username' | 'address'

/** Who is refused. Client ids and user names are banned within one organisation, addresses everywhere. */
export interface BanTarget {
  readonly kind: BanKind
  /** Empty for addresses. */
  readonly org: string
  readonly value: string
}

export interface Ban extends BanTarget {
  /** Milliseconds since 1970; Infinity: until it is lifted. */
  readonly until: number
  readonly reason: string
  /** Of a flapping client: the ban holds only from here, or anybody could have anybody's client id banned. */
  readonly address: string | null
}

/**
 * Decides on connections by what is in memory, before any store is read: how many there are, how fast they come, who is
 * banned. Refusals are counted in `cinque_connections_refused_total` by reason, admissions in
 * `cinque_connections_admitted_total`.
 */
export class Admission {
  #open = 0
  #tokens: number
  #refilled: number
  readonly #burst: number
  readonly #flapping = new Map<string, { since: number; count: number }>()
  readonly #flappingBans = new Map<string, Ban>()
  readonly #bans = new Map<string, Ban>()
  readonly #limits: LimitsConfig
  readonly #clock: Clock
  readonly #refusals: Refusals
  readonly #admitted: Counter

  constructor(limits: LimitsConfig, clock: Clock, metrics: Metrics, log: Logger) {
    this.#limits = limits
    this.#clock = clock
    this.#refusals = new Refusals(metrics, log, clock)
    this.#admitted = metrics.counter(
      'cinque_connections_admitted_total',
      'Connections within the limits of number and rate',
    )
    this.#burst = limits.connect_burst === 0 ? limits.connect_rate : limits.connect_burst
    this.#tokens = this.#burst
    this.#refilled = clock.now()
  }

  /** A new connection: null if it may go on, else the MQTT 5 reason code to refuse it with. */
  connecting(info: ConnectionInfo): number | null {
    if (this.#open >= this.#limits.max_connections) {
      this.#refuse(
        'max_connections',
        `limits.max_connections (${this.#limits.max_connections}) are open`,
        info,
      )
      return SERVER_UNAVAILABLE
    }
    if (this.#bans.size > 0 && this.#banned(this.#bans, banKey('address', '', info.remoteAddress))) {
      this.#refuse('banned', 'the address is banned', info)
      return BANNED
    }
    if (this.#limits.connect_rate > 0 && !this.#takeToken()) {
      this.#refuse('connect_rate', `more than limits.connect_rate (${this.#limits.connect_rate}/s)`, info)
      return CONNECTION_RATE_EXCEEDED
    }
    this.#admitted.value++
    return null
  }

  /** A connection that `connecting` admitted is held from now on. */
  opened(): void {
    this.#open++
  }

  closed(): void {
    this.#open--
  }

  /**
   * A CONNECT of this client: null, or 0x8A if it is banned. Counts connects per (organisation, client id, address), and
   * bans one that comes more than `flapping_count` times within `flapping_window`.
   */
  identify(org: string, clientId: string, username: string, address: string): number | null {
    if (
      this.#bans.size > 0 &&
      (this.#banned(this.#bans, banKey('client', org, clientId)) ||
        (username !== '' && this.#banned(this.#bans, banKey('username', org, username))))
    ) {
      this.#refuseClient('banned', org, clientId, address)
      return BANNED
    }
    if (this.#limits.flapping_count === 0) return null
    const key = `${banKey('client', org, clientId)}\0${address}`
    if (this.#banned(this.#flappingBans, key)) {
      this.#refuseClient('banned for flapping', org, clientId, address)
      return BANNED
    }
    if (!this.#flaps(key)) return null
    const { flapping_count, flapping_window, flapping_ban } = this.#limits
    const reason = `more than ${flapping_count} connects within ${flapping_window} s`
    const until = this.#clock.now() + flapping_ban * 1000
    makeRoom(this.#flappingBans)
    this.#flappingBans.set(key, { kind: 'client', org, value: clientId, until, reason, address })
    this.#refuseClient(`banned for ${flapping_ban} s: ${reason}`, org, clientId, address)
    return BANNED
  }

  /** Refuses the target for `seconds` (Infinity: until `unban`); open connections go on. Throws when there are too many bans. */
  ban(target: BanTarget, seconds: number, reason: string): void {
    const key = banKey(target.kind, target.org, target.value)
    if (this.#bans.size >= MAX_ENTRIES && !this.#bans.has(key)) {
      this.#expire(this.#bans)
      if (this.#bans.size >= MAX_ENTRIES)
        throw new Error(`there are ${MAX_ENTRIES} bans already; lift some, or use the firewall for addresses`)
    }
    const until = this.#clock.now() + seconds * 1000
    this.#bans.set(key, { ...target, until, reason, address: null })
  }

  /** Lifts every ban of the target, also those for flapping; false: there was none. */
  unban(target: BanTarget): boolean {
    let found = this.#bans.delete(banKey(target.kind, target.org, target.value))
    for (const [key, ban] of this.#flappingBans)
      if (ban.kind === target.kind && ban.org === target.org && ban.value === target.value)
        found = this.#flappingBans.delete(key) || found
    return found
  }

  /** The bans that hold now. */
  bans(): Ban[] {
    this.#expire(this.#bans)
    this.#expire(this.#flappingBans)
    return [...this.#bans.values(), ...this.#flappingBans.values()]
  }

  #takeToken(): boolean {
    const now = this.#clock.now()
    const elapsed = Math.max(0, now - this.#refilled)
    this.#refilled = now
    this.#tokens = Math.min(this.#burst, this.#tokens + (elapsed * this.#limits.connect_rate) / 1000)
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }

  /** The map is in the order in which the windows began: the front is the oldest. */
  #flaps(key: string): boolean {
    const start = this.#clock.now() - this.#limits.flapping_window * 1000
    for (const [oldest, { since }] of this.#flapping) {
      if (since > start) break
      this.#flapping.delete(oldest)
    }
    const window = this.#flapping.get(key)
    if (window === undefined) {
      makeRoom(this.#flapping)
      this.#flapping.set(key, { since: this.#clock.now(), count: 1 })
      return false
    }
    window.count++
    if (window.count <= this.#limits.flapping_count) return false
    this.#flapping.delete(key)
    return true
  }

  #banned(bans: Map<string, Ban>, key: string): boolean {
    const ban = bans.get(key)
    if (ban === undefined) return false
    if (ban.until > this.#clock.now()) return true
    bans.delete(key)
    return false
  }

  #expire(bans: Map<string, Ban>): void {
    const now = this.#clock.now()
    for (const [key, ban] of bans) if (ban.until <= now) bans.delete(key)
  }

  #refuse(
    reason: 'max_connections' | 'connect_rate' | 'banned',
    message: string,
    info: ConnectionInfo,
  ): void {
    this.#refusals.refuse(reason, message, { listener: info.listener, address: info.remoteAddress })
  }

  #refuseClient(message: string, org: string, clientId: string, address: string): void {
    this.#refusals.refuse('banned', message, { org, client: clientId, address })
  }
}

function banKey(kind: BanKind, org: string, value: string): string {
  return `${kind}\0${org}\0${value}`
}

function makeRoom(map: Map<string, unknown>): void {
  if (map.size < MAX_ENTRIES) return
  for (const oldest of map.keys()) {
    map.delete(oldest)
    return
  }
}
