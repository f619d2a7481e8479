import type { DeviceRef, Principal } from '../auth/principal.ts'
import { PlatformError } from '../errors.ts'
import { jsonOf } from '../json.ts'
import type { Logger } from '../log.ts'
import type { Outlet } from '../messages.ts'
import type { Counter, Metrics } from '../metrics.ts'
import type { Conventions, Refusal, Sink } from '../telemetry/conventions.ts'
import { defaultTwin, isObject, twinLimits, twinName } from './document.ts'
import type { Twin, Twins } from './twins.ts'

const attributes = 'v1/devices/me/attributes'
const twins = 'v1/devices/me/twin/'
/** Answers under way at a time; what devices ask beyond it is refused. */
const maxAsking = 1000
const maxToken = 64

export interface TwinSinksOptions {
  readonly twins: Twins
  readonly outlet: Outlet
  readonly log: Logger
  readonly metrics: Metrics
}

/**
 * What devices say and ask about their twins: `v1/devices/me/twin/{name}/update` and `.../get`, answered on `.../accepted` and
 * `.../rejected` below those; and `v1/devices/me/attributes`, which reports to the document `default`.
 */
export class TwinSinks implements Conventions {
  readonly #twins: Twins
  readonly #outlet: Outlet
  readonly #log: Logger
  readonly #refused: Counter
  #asking = 0

  constructor(options: TwinSinksOptions) {
    this.#twins = options.twins
    this.#outlet = options.outlet
    this.#log = options.log
    this.#refused = options.metrics.counter(
      'cinque_twin_refused_total',
      'Words of devices about twins, refused',
    )
  }

  sinkFor({ device }: Principal, topic: string): Sink | null {
    if (device === null) return null
    if (topic === attributes) return { accept: (payload) => this.#attributes(device, payload) }
    if (!topic.startsWith(twins)) return null
    const [name, verb, ...rest] = topic.slice(twins.length).split('/')
    if (twinName.test(name) && rest.length === 0) {
      if (verb === 'update') return { accept: (payload) => this.#update(device, name, payload) }
      if (verb === 'get') return { accept: (payload) => this.#get(device, name, payload) }
    }
    return { accept: () => this.#refusal('publish to v1/devices/me/twin/{name}/update or /get') }
  }

  #attributes(device: DeviceRef, payload: Uint8Array): Refusal | undefined {
    try {
      this.#twins.report(device, defaultTwin, jsonOf(payload, twinLimits.depth))
      return undefined
    } catch (error) {
      return this.#refusalOf(error)
    }
  }

  #update(device: DeviceRef, name: string, payload: Uint8Array): Refusal | undefined {
    // One level more than the document.
    const said = jsonOf(payload, twinLimits.depth + 1)
    const token = tokenOf(said)
    try {
      const reported = reportedOf(said)
      const version = this.#twins.report(device, name, reported)
      this.#answer(device, `${name}/update/accepted`, { version, reported, ...token })
      return undefined
    } catch (error) {
      const refusal = this.#refusalOf(error)
      const code = error instanceof PlatformError ? error.code : 'invalid_field'
      this.#answer(device, `${name}/update/rejected`, { code, message: refusal.explanation, ...token })
      return refusal
    }
  }

  #get(device: DeviceRef, name: string, payload: Uint8Array): Refusal | undefined {
    if (this.#asking >= maxAsking) {
      this.#refused.value++
      return { code: 'quota_exceeded', explanation: 'too much is being asked at a time; try again' }
    }
    this.#asking++
    const token = tokenOf(jsonOf(payload, 2))
    this.#twins
      .get(device, name)
      .then(
        (one) => this.#answer(device, `${name}/get/accepted`, { ...shown(one), ...token }),
        (error: unknown) => {
          const [code, message] =
            error instanceof PlatformError ? [error.code, error.message] : ['store_unavailable', 'try again']
          this.#answer(device, `${name}/get/rejected`, { code, message, ...token })
        },
      )
      .finally(() => this.#asking--)
    return undefined
  }

  /** The broker sends it when what was staged before it is durable. */
  #answer({ org, id }: DeviceRef, topic: string, body: object): void {
    const payload = Buffer.from(JSON.stringify(body))
    this.#twins
      .durable(org)
      .then(() => this.#outlet.publish({ org, topic: `v1/devices/${id}/twin/${topic}`, payload }))
      .catch((error: unknown) => {
        this.#log.warn({ event: 'twin.unanswered', device: id, err: error }, 'a device got no answer')
      })
  }

  #refusalOf(error: unknown): Refusal {
    if (!(error instanceof PlatformError)) throw error
    const refusal = this.#refusal(`${error.field ?? 'reported'}: ${error.message}`)
    return error.code === 'limit_reached' ? { ...refusal, code: 'quota_exceeded' } : refusal
  }

  #refusal(explanation: string): Refusal {
    this.#refused.value++
    return { code: 'payload_format_invalid', explanation }
  }
}

/** What a device gets of its twin. */
function shown({ desired, version, reported, reportedVersion, delta }: Twin): object {
  return { desired, version, reported, reported_version: reportedVersion, delta: delta ?? {} }
}

function reportedOf(said: unknown): unknown {
  if (!isObject(said))
    throw new PlatformError('invalid_field', 'must be {"reported": {...}} as JSON', 'payload')
  for (const key of Object.keys(said)) {
    if (key !== 'reported' && key !== 'token')
      throw new PlatformError(
        'invalid_field',
        'is not for a device to say; only reported and token are',
        key.slice(0, 32),
      )
  }
  return said.reported
}

/** What the device put in to know the answer by. */
function tokenOf(said: unknown): { token?: string } {
  return isObject(said) && typeof said.token === 'string' && said.token.length <= maxToken
    ? { token: said.token }
    : {}
}
