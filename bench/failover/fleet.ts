import type { Inventory } from '#platform/inventory/inventory.ts'
import { type DevicePlace, deviceAddress } from '#scripts/cell/places.ts'
import { StubResolver } from '#scripts/sim/stub-resolver.ts'
import { Device } from './device.ts'

export interface FleetOptions {
  readonly inventory: Inventory
  readonly count: number
  /** `mqtts://mqtt.cell.test:8883` */
  readonly url: string
  readonly ca: Buffer
  /** The nearest first. */
  readonly nameServers: (place: DevicePlace) => readonly string[]
  /** Milliseconds between two messages of a device. */
  readonly paceMs: number
}

/** Where the devices are, in percent. */
const spread: readonly (readonly [DevicePlace, number])[] = [
  ['EU', 40],
  ['NA', 30],
  ['SA', 20],
  ['AS', 10],
]

/** Simulated devices all over the world, each of which publishes at its pace. */
export class Fleet {
  readonly devices: readonly Device[]
  readonly #paceMs: number
  #timer: NodeJS.Timeout | null = null
  #turn = 0

  constructor({ inventory, count, url, ca, nameServers, paceMs }: FleetOptions) {
    this.#paceMs = paceMs
    this.devices = Array.from({ length: count }, (_, index) => {
      const place = placeOf(index / count)
      const from = deviceAddress(inventory, place, index)
      const resolver = new StubResolver({ servers: nameServers(place), from })
      return new Device({ name: `failover-${index + 1}`, url, ca, from, resolver })
    })
  }

  /** Each publishes once in its pace from now on, one after the other. */
  go(): void {
    this.#timer ??= setInterval(
      () => this.devices[this.#turn++ % this.devices.length].publish(),
      this.#paceMs / this.devices.length,
    )
  }

  rest(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  /** All break their connections and come back where the name leads to now. */
  reconnect(): void {
    for (const device of this.devices) device.reconnect()
  }

  /** Devices whose connection is, or was last, to one of these addresses. */
  at(addresses: readonly string[]): readonly Device[] {
    return this.devices.filter(({ host }) => host !== null && addresses.includes(host))
  }

  /** Messages that were sent and are not acknowledged. */
  get waiting(): number {
    return this.devices.reduce((sum, { sent, acked }) => sum + sent - acked.size, 0)
  }

  get acknowledged(): number {
    return this.devices.reduce((sum, { acked }) => sum + acked.size, 0)
  }

  async end(): Promise<void> {
    this.rest()
    await Promise.all(this.devices.map((device) => device.end()))
  }
}

function placeOf(share: number): DevicePlace {
  let sum = 0
  for (const [place, percent] of spread) {
    sum += percent / 100
    if (share < sum) return place
  }
  return spread[0][0]
}
