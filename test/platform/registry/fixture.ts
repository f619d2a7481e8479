import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { DeviceIndex } from '#platform/registry/device-index.ts'
import { Registry } from '#platform/registry/registry.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import type { Store } from '#platform/store/store.ts'

/** 2026-11-21T12:00:00Z */
export const noon = 1_795_262_400_000

export const silent = createLogger({ level: 'silent' })

/** The registry of one process, and what lists its devices. */
export interface Opened {
  readonly registry: Registry
  readonly index: DeviceIndex
}

/** Processes on one store and one clock, without a broker. */
export class RegistryFixture {
  readonly clock = { time: noon, now: (): number => this.clock.time }
  readonly store = new MemoryStore({ clock: this.clock })

  /** A process of its own. */
  open(options: { maxDevices?: number | undefined; store?: Store } = {}): Opened {
    const store = options.store ?? this.store
    const registry = new Registry(store, this.clock)
    const { devices, entries } = registry
    const { maxDevices } = options
    const parts = { devices, entries, metrics: new Metrics(), log: silent, maxDevices }
    return { registry, index: new DeviceIndex(store, this.clock, parts) }
  }
}
