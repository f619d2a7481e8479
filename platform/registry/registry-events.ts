import type { Clock } from '../clock.ts'
import type { LiveBus } from '../live/live-bus.ts'
import type { Registry } from './registry.ts'

/** Devices written at a time of which each is told of. */
const maxEach = 20
/** Bytes that an event keeps in memory, about. */
const eventBytes = 300

/** Tells live streams of devices that were created, changed or deleted by this process; of imports by the number only. */
export function tellRegistry(registry: Registry, live: LiveBus, clock: Clock): void {
  registry.entries.onWritten(({ org, put }) => {
    const at = clock.now()
    if (put.length > maxEach) {
      const data = { change: 'imported', devices: put.length }
      live.publish({ type: 'registry', org, device: null, at, data }, eventBytes)
      return
    }
    for (const { device: id, name = id, version, created_at: createdAt = 0 } of put) {
      const change = version === createdAt * 1024 ? 'created' : 'changed'
      const device = { org, id, name }
      live.publish({ type: 'registry', org, device, at, data: { change, version } }, eventBytes)
    }
  })
  registry.onDeleted(async ({ org, id, name }, at) => {
    live.publish(
      { type: 'registry', org, device: { org, id, name }, at, data: { change: 'deleted' } },
      eventBytes,
    )
  })
}
