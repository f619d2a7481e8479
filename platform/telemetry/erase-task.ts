import { z } from 'zod'
import type { TaskKind } from '../tasks/task.ts'
import type { Telemetry } from './telemetry.ts'

const item = z.object({ id: z.string(), name: z.string() })

/** Deletes the values and aggregates of devices. */
export function eraseTelemetry(telemetry: Telemetry): TaskKind {
  return {
    name: 'erase_telemetry',
    async run({ org }, items) {
      const results = []
      for (const { id, name } of items.map((one) => item.parse(one))) {
        // oxlint-disable-next-line no-await-in-loop -- one device has enough to delete
        await telemetry.erase({ org, id })
        results.push({ status: 'erased', counts: 'succeeded', id, name } as const)
      }
      return results
    },
  }
}
