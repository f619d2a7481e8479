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
  readonly nameServers: readonly string[]
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
  readonly #byPlace: ReadonlyMap<DevicePlace, readonly Device[]>
  readonly #paceMs: number
  #timer: NodeJS.Timeout | null = null
  #turn = 0

  constructor({ inventory, count, url, ca, nameServers, paceMs }: FleetOptions) {
    this.#paceMs = paceMs
    const made = Array.from({ length: count }, (_, index) => {
      const place = placeOf(index / count)
      const from = deviceAddress(inventory, place, index)
      // Whom a resolver asks first is chance.
      const first = index % nameServers.length
      const servers = [...nameServers.slice(first), ...nameServers.slice(0, first)]
      const resolver = new StubResolver({ servers, from })
      return { place, device: new Device({ name: `failover-${index + 1}`, url, ca, from, resolver }) }
    })
    this.devices = made.map(({ device }) => device)
    this.#byPlace = new Map(
      spread.map(([name]) => [name, made.filter(({ place }) => place === name).map(({ device }) => device)]),
    )
  }

  of(place: DevicePlace): readonly Device[] {
    return this.#byPlace.get(place) ?? []
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

  /** Devices that are connected to one of these addresses. */
  at(addresses: readonly string[]): readonly Device[] {
    return this.devices.filter(
      ({ connected, host }) => connected && host !== null && addresses.includes(host),
    )
  }

  /** Messages that were sent, and neither acknowledged nor refused. */
  get waiting(): number {
    return this.devices.reduce((sum, { waiting }) => sum + waiting, 0)
  }

  get acknowledged(): number {
    return this.devices.reduce((sum, { acked }) => sum + acked.size, 0)
  }

  /** Why messages were not taken, since the last call. */
  refusals(): string[] {
    return this.devices.flatMap(({ refused }) => refused.splice(0))
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
