import { isIPv6 } from 'node:net'
import type { Clock } from '../clock.ts'
import { keyHash } from '../auth/keys.ts'
import { Recent } from './recent.ts'

/** Attempts in one window that may fail. */
export interface AttemptLimits {
  /** For one account from one address. */
  readonly pair: number
  /** For one account from anywhere: more than `pair`, so that nobody can lock others out from one place. */
  readonly account: number
  /** From one address, for all accounts: an office is one address. */
  readonly address: number
  readonly windowMs: number
}

/** About 200 bytes each. */
const size = 50_000

/**
 * Slows down guessing. Counted in this process, so an attacker has as many windows as there are API processes. It does
 * not matter whether an account exists, so nothing can be learnt from being refused.
 */
export class Attempts {
  readonly #counts: Recent<{ count: number; since: number }>
  readonly #clock: Clock
  readonly #limits: AttemptLimits

  constructor(clock: Clock, limits: AttemptLimits) {
    this.#clock = clock
    this.#limits = limits
    this.#counts = new Recent(clock, { size, ageMs: limits.windowMs })
  }

  /** Counts one attempt. Milliseconds until another is allowed, if this one is too much; else 0. */
  begin(account: string, address: string): number {
    const keys = keysOf(account, address)
    const now = this.#clock.now()
    let wait = 0
    for (const [kind, key] of keys) {
      const counted = this.#counts.get(key)
      if (counted !== undefined && counted.count >= this.#limits[kind])
        wait = Math.max(wait, counted.since + this.#limits.windowMs - now, 1)
    }
    if (wait > 0) return wait
    for (const [, key] of keys) {
      const counted = this.#counts.get(key)
      if (counted === undefined) this.#counts.set(key, { count: 1, since: now })
      else counted.count++
    }
    return 0
  }

  /** It was the account's owner: his mistakes before do not count. */
  succeeded(account: string, address: string): void {
    for (const [kind, key] of keysOf(account, address)) {
      const counted = this.#counts.get(key)
      if (kind !== 'address') this.#counts.delete(key)
      else if (counted !== undefined) counted.count = Math.max(0, counted.count - 1)
    }
  }
}

function keysOf(account: string, address: string): (readonly ['pair' | 'account' | 'address', string])[] {
  const who = keyHash(account).toString('base64url').slice(0, 22)
  const where = networkOf(address)
  return [
    ['pair', `p ${who} ${where}`],
    ['account', `a ${who}`],
    ['address', `n ${where}`],
  ]
}

/** IPv6: the /64, of which one host has all. */
function networkOf(address: string): string {
  if (!isIPv6(address) || address.startsWith('::ffff:')) return address
  const [head, tail] = address.split('::', 2)
  const before = head.split(':').filter((part) => part !== '')
  const after = (tail ?? '').split(':').filter((part) => part !== '')
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0')
  return [...before, ...(tail === undefined ? [] : zeros), ...after].slice(0, 4).join(':')
}
