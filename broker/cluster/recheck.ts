import { DevicePrincipal } from '#platform/auth/device-authenticator.ts'
import type { DeviceRef } from '#platform/auth/principal.ts'
import type { Registry } from '#platform/registry/registry.ts'
import type { Timer } from '#platform/timers.ts'
import type { Broker } from '../broker.ts'
import { ReasonCode } from '../packets/reason-code.ts'

/** What was written elsewhere is here by then: the first look is for what has come already, ms. */
const LOOKS_MS = [5000, 90_000]
/** Devices looked up at a time, and how long until the next ones, ms: 200 a second. */
const AT_A_TIME = 20
const STEP_MS = 100

/**
 * Looks whether connected devices still exist and have the keys that they came with. Needed when another process may
 * have said otherwise in vain, because the stream to it was broken. Who is not found must log in again; its session
 * stays, because a store that is being repaired may not find what exists.
 */
export class Recheck {
  readonly #broker: Broker
  readonly #registry: Registry
  #timers: Timer[] = []
  #running = false

  constructor(broker: Broker, registry: Registry) {
    this.#broker = broker
    this.#registry = registry
  }

  /** Looks in 5 s, and once more when the stores of all DCs in contact agree. What was to be done before, is not. */
  start(): void {
    for (const timer of this.#timers) timer.cancel()
    this.#timers = LOOKS_MS.map((ms) => this.#broker.timers.after(ms, () => void this.look()))
  }

  /** Resolves when all have been looked up. What cannot be read now stays as it is. */
  async look(): Promise<void> {
    if (this.#running || this.#broker.draining) return
    this.#running = true
    try {
      let left = AT_A_TIME
      for (const { org, id } of this.#devices()) {
        if (left-- === 0) {
          left = AT_A_TIME - 1
          // oxlint-disable-next-line no-await-in-loop -- at a rate
          await new Promise<void>((next) => this.#broker.timers.after(STEP_MS, next))
        }
        // oxlint-disable-next-line no-await-in-loop
        await this.#check(org, id)
      }
    } catch (error) {
      this.#broker.log.warn(
        { event: 'cell.recheck_failed', err: error },
        'cannot look whether devices still exist',
      )
    }
    this.#running = false
  }

  async #check(org: string, id: string): Promise<void> {
    const device = await this.#registry.devices.findById(org, id)
    const version = device?.keyVersion ?? Number.POSITIVE_INFINITY
    this.#broker.kick(
      ({ principal }) =>
        principal instanceof DevicePrincipal &&
        principal.org === org &&
        principal.device.id === id &&
        principal.device.version < version,
      ReasonCode.NotAuthorized,
      'the key of this device was changed or deleted',
    )
  }

  /** Each connected device once. */
  #devices(): DeviceRef[] {
    const devices = new Map<string, DeviceRef>()
    for (const { principal } of this.#broker.connections)
      if (principal instanceof DevicePrincipal)
        devices.set(`${principal.org}/${principal.device.id}`, principal.device)
    return Array.from(devices.values())
  }
}
