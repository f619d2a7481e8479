import type { Acl, Principal, Quota } from '../auth/principal.ts'
import { PlatformError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Outlet } from '../messages.ts'
import type { Metrics } from '../metrics.ts'
import { StoreError } from '../store/store.ts'
import type { Conventions, Refusal, Sink } from '../telemetry/conventions.ts'
import {
  type Provisioner,
  type Provisioning,
  type ProvisionRequest,
  provisionRequest,
} from './provisioning.ts'

const topic = '$cinque/provision'
const answers = `${topic}/response/`
/** Requests under way at a time; more are told to come again. */
const maxUnderWay = 64
/** A connection with a provisioning key lasts that long at most, ms. */
const connectionMs = 600_000

/** A client with a provisioning key: it may ask for a device's key, hear the answer, and nothing else. */
export class ProvisioningPrincipal implements Principal {
  readonly org: string
  readonly username = 'provisioning'
  readonly device = null
  readonly acl: Acl = provisioningAcl
  readonly quota: Quota = { messagesPerSecond: 5 }
  readonly by: Provisioner
  readonly expiresAt: number

  constructor(by: Provisioner, now: number) {
    this.org = by.org
    this.by = by
    this.expiresAt = now + connectionMs
  }
}

/** The nonce in the topic of the answer is what keeps it from others: no wildcard is allowed. */
const provisioningAcl: Acl = {
  check(access, name) {
    if (access === 'publish') return name === topic
    return name.startsWith(answers) && /^[A-Za-z0-9_-]{22,64}$/.test(name.slice(answers.length))
  },
  explain(access, name) {
    const allowed = this.check(access, name)
    const reason = `a provisioning key may publish to ${topic} and subscribe to ${answers}{nonce}`
    return { allowed, reason }
  },
}

/** `$cinque/provision` and its answers over MQTT. */
export class ProvisioningTopics implements Conventions {
  readonly #provisioning: Provisioning
  readonly #outlet: Outlet
  readonly #log: Logger
  readonly #metrics: Metrics
  #underWay = 0

  constructor(parts: { provisioning: Provisioning; outlet: Outlet; log: Logger; metrics: Metrics }) {
    this.#provisioning = parts.provisioning
    this.#outlet = parts.outlet
    this.#log = parts.log
    this.#metrics = parts.metrics
  }

  sinkFor(principal: Principal, name: string): Sink | null {
    if (name !== topic || !(principal instanceof ProvisioningPrincipal)) return null
    return { accept: (payload, _at, responseTopic) => this.#accept(principal.by, payload, responseTopic) }
  }

  #accept(by: Provisioner, payload: Uint8Array, responseTopic: string | undefined): Refusal | undefined {
    const request = parsed(payload)
    if (typeof request === 'string') return { code: 'payload_format_invalid', explanation: request }
    const wanted = responseTopic ?? answers + request.nonce
    if (!provisioningAcl.check('subscribe', wanted)) {
      return { code: 'payload_format_invalid', explanation: `the response topic must be ${answers}{nonce}` }
    }
    if (this.#underWay >= maxUnderWay) {
      this.#count('overloaded')
      return { code: 'quota_exceeded', explanation: 'too many devices are provisioned at a time; ask again' }
    }
    this.#underWay++
    void this.#answer(by, request, wanted).finally(() => this.#underWay--)
    return undefined
  }

  async #answer(by: Provisioner, request: ProvisionRequest, wanted: string): Promise<void> {
    const answer = await this.#outcome(by, request)
    this.#count(answer.status === 'failed' ? answer.code : answer.status)
    try {
      const payload = Buffer.from(JSON.stringify({ nonce: request.nonce, ...answer }))
      await this.#outlet.publish({ org: by.org, topic: wanted, payload })
    } catch (error) {
      // The device asks again with its nonce.
      this.#log.warn({ event: 'provisioning.unanswered', err: error }, 'a device did not get its key')
    }
  }

  async #outcome(
    by: Provisioner,
    request: ProvisionRequest,
  ): Promise<
    | { status: 'provisioned'; organisation: string; id: string; name: string; key: string }
    | { status: 'pending' }
    | { status: 'failed'; code: string; detail: string }
  > {
    try {
      const done = await this.#provisioning.provision(by, request)
      if (done === null) return { status: 'pending' }
      const { org, id, name } = done.device
      return { status: 'provisioned', organisation: org, id, name, key: done.key }
    } catch (error) {
      if (error instanceof PlatformError) return { status: 'failed', code: error.code, detail: error.message }
      if (!(error instanceof StoreError))
        this.#log.error({ event: 'provisioning.failed', err: error }, 'a device could not be provisioned')
      return { status: 'failed', code: 'store_unavailable', detail: 'try again later' }
    }
  }

  #count(outcome: string): void {
    this.#metrics.counter('cinque_provisioning_total', 'Devices that asked for a key, by outcome', {
      outcome,
    }).value++
  }
}

function parsed(payload: Uint8Array): ProvisionRequest | string {
  try {
    const result = provisionRequest.safeParse(JSON.parse(Buffer.from(payload).toString()))
    if (result.success) return result.data
    const [issue] = result.error.issues
    return `${issue.path.join('.')}: ${issue.message}`
  } catch {
    return 'the payload is not JSON'
  }
}
