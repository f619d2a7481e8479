import type { NodeMetrics } from './node-metrics.ts'
import type { Probe } from './probe.ts'

/** Whether the disks of a host have room, as its API sees them. */
export function disk(metrics: NodeMetrics, leastFree: number): Probe {
  return {
    name: 'disk',
    weight: 'degrade',
    interval: 60,
    timeoutMs: 10_000,
    slowMs: 5000,
    run: async (target, signal) => {
      const samples = await metrics.read(target, signal)
      const disks = samples.get('cinque_disk_free_ratio') ?? []
      for (const { labels, value } of disks) {
        if (value < leastFree) {
          throw new Error(`${labels.path ?? 'a disk'} has ${Math.floor(value * 100)} % left`)
        }
      }
      if (disks.length === 0) return undefined
      return { free: Math.round(Math.min(...disks.map(({ value }) => value)) * 100) / 100 }
    },
  }
}
