import type { Request, Response } from 'express'
import { Buckets, type Level } from '#platform/limits/buckets.ts'
import type { HttpConfig } from '#platform/limits/config.ts'
import type { Usage } from '#platform/limits/usage.ts'
import type { Clock } from '#platform/clock.ts'
import type { Counter, Metrics } from '#platform/metrics.ts'
import { callerId } from './caller-id.ts'
import type { Caller } from './callers.ts'
import { Problem } from './problems.ts'

export type Rates = Pick<
  HttpConfig,
  'organisation_rate' | 'caller_rate' | 'device_rate' | 'address_rate' | 'failure_rate'
>

/** Seconds of a rate that may come at once: who asks in bursts is not punished for it. */
const burstSeconds = 10
/** Buckets of each kind that are remembered, about 150 bytes each. */
const maxBuckets = 100_000
const dayMs = 86_400_000

type Kind = 'organisation' | 'caller' | 'device' | 'address' | 'failures'

/**
 * Who may ask now: rates of this process, and what the organisation may ask in a day. Answers say how much is left
 * (RateLimit and RateLimit-Policy, draft-ietf-httpapi-ratelimit-headers-10).
 */
export class Admission {
  readonly #clock: Clock
  readonly #usage: Usage
  readonly #buckets: Readonly<Record<Kind, Buckets>>
  readonly #policies: Readonly<Record<Kind, string>>
  readonly #refused: (reason: string) => Counter

  constructor({ clock, metrics, usage }: { clock: Clock; metrics: Metrics; usage: Usage }, rates: Rates) {
    this.#clock = clock
    this.#usage = usage
    const of = (rate: number): Buckets =>
      new Buckets({ rate, burst: Math.max(1, rate * burstSeconds) }, maxBuckets)
    this.#buckets = {
      organisation: of(rates.organisation_rate),
      caller: of(rates.caller_rate),
      device: of(rates.device_rate),
      address: of(rates.address_rate),
      failures: of(rates.failure_rate),
    }
    const policy = (kind: Kind): string => {
      const { burst } = this.#buckets[kind].rate
      return `"${kind}";q=${Math.floor(burst)};w=${burstSeconds}`
    }
    this.#policies = {
      organisation: policy('organisation'),
      caller: policy('caller'),
      device: policy('device'),
      address: policy('address'),
      failures: policy('failures'),
    }
    this.#refused = (reason) =>
      metrics.counter('cinque_http_refused_total', 'Requests refused because there were too many', { reason })
    metrics.gauge('cinque_http_rate_buckets', 'Callers and addresses whose rate is remembered', () =>
      Object.entries(this.#buckets).map(([kind, buckets]) => [{ kind }, buckets.size]),
    )
  }

  /** The gate before anybody is looked up. Problem `rate_limited`. */
  address(request: Request, response: Response): void {
    const now = this.#clock.now()
    const from = networkOf(request.ip)
    this.#show(response, [['address', this.#buckets.address.take(from, now)]])
    const failures = this.#buckets.failures.peek(from, now)
    if (!failures.allowed) this.#show(response, [['failures', failures]])
  }

  /** The address has shown a key that is none. */
  failed(request: Request): void {
    this.#buckets.failures.take(networkOf(request.ip), this.#clock.now())
  }

  /** The gate behind it. `counted`: it counts as a request of its organisation. Problems `rate_limited`, `quota_exceeded`. */
  caller(caller: Caller, response: Response, counted: boolean): void {
    const now = this.#clock.now()
    const { org, id } = callerId(caller)
    const kind = caller.kind === 'device' ? 'device' : 'caller'
    const levels: [Kind, Level][] = [[kind, this.#buckets[kind].take(`${org} ${id}`, now)]]
    // Who asks too much does not use up what the others of his organisation may.
    if (org !== '*' && levels[0][1].allowed)
      levels.push(['organisation', this.#buckets.organisation.take(org, now)])
    this.#show(response, levels)
    if (org === '*' || !counted) return
    const usage = this.#usage.of(org)
    if (usage.exhausted('requests')) {
      this.#refused('quota').value++
      throw new Problem('quota_exceeded', 'the organisation has asked as often today as its quota allows', {
        retryAfter: secondsOfDay(now),
      })
    }
    usage.add('requests', 1)
  }

  #show(response: Response, levels: readonly [Kind, Level][]): void {
    const limited = levels.filter(([kind]) => this.#buckets[kind].rate.rate > 0)
    if (limited.length === 0) return
    const [kind, level] = limited.reduce((worst, one) => (left(one[1]) < left(worst[1]) ? one : worst))
    response.set('ratelimit-policy', limited.map(([one]) => this.#policies[one]).join(', '))
    response.set('ratelimit', `"${kind}";r=${level.remaining};t=${level.seconds}`)
    if (level.allowed) return
    this.#refused(kind).value++
    throw new Problem('rate_limited', `too many requests (${words[kind]}); try again`, {
      retryAfter: Math.max(1, level.seconds),
    })
  }
}

/** An IPv4 address; of an IPv6 address the network (/64), because its user has all addresses in it. */
export function networkOf(ip = ''): string {
  if (!ip.includes(':') || ip.startsWith('::ffff:')) return ip
  const [head, tail] = ip.split('::').map((part) => (part === '' ? [] : part.split(':')))
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - head.length - tail.length }, () => '0')
  return [...head, ...zeros, ...(tail ?? [])].slice(0, 4).join(':')
}

function left({ allowed, remaining }: Level): number {
  return allowed ? remaining : -1
}

const words: Readonly<Record<Kind, string>> = {
  organisation: 'of the organisation',
  caller: 'with this token or key',
  device: 'of this device',
  address: 'from this address',
  failures: 'from this address without a valid key',
}

/** Seconds until the day ends (UTC), and a quota begins anew. */
export function secondsOfDay(now: number): number {
  return Math.ceil((dayMs - (now % dayMs)) / 1000)
}
