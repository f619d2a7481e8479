import type { DeviceRef } from '../auth/principal.ts'
import type { Lanes } from '../store/lanes.ts'
import { Batch, type Store } from '../store/store.ts'
import type { Sightings } from './sightings.ts'
import { checkIn } from './tables.ts'

export interface CheckIn {
  /** Milliseconds since 1970. */
  readonly at: number
  /** What the device said it runs. */
  readonly version: string | null
}

const maxVersion = 64

/** When devices last asked for firmware over HTTP, which the IoT Guru library does as its sign of life. */
export class CheckIns {
  readonly #store: Store
  readonly #lanes: Lanes
  readonly #sightings: Sightings

  constructor(store: Store, lanes: Lanes, sightings: Sightings) {
    this.#store = store
    this.#lanes = lanes
    this.#sightings = sightings
  }

  /** Stages it; durable with the current ticket of the organisation's lane. */
  note(device: DeviceRef, at: number, version?: string): void {
    const { org, id } = device
    if (version !== undefined) this.#sightings.firmware(device, version, at)
    this.#lanes
      .of(org)
      .stage()
      .put(checkIn, { org, device: id, at, version: version?.slice(0, maxVersion).toWellFormed() })
  }

  async last({ org, id }: DeviceRef): Promise<CheckIn | null> {
    const row = await this.#store.get(checkIn, { org, device: id })
    return row?.at === undefined ? null : { at: row.at, version: row.version ?? null }
  }

  /** Forgets a deleted device. */
  async purge({ org, id }: DeviceRef): Promise<void> {
    const batch = new Batch()
    batch.delete(checkIn, { org, device: id })
    await this.#store.write(batch)
  }
}
