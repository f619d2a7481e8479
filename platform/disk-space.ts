import { statfsSync } from 'node:fs'
import type { Metrics } from './metrics.ts'

/** Says in the metrics which share of the disk that holds `path` is free for others than root. */
export function measureDisk(metrics: Metrics, path: string): void {
  metrics.gauge('cinque_disk_free_ratio', 'Free share of the disk that holds the path', () => {
    try {
      const { bavail, blocks } = statfsSync(path)
      return blocks === 0 ? [] : [[{ path }, bavail / blocks]]
    } catch {
      return []
    }
  })
}
