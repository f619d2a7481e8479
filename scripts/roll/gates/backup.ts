import type { CinqueClient } from '#client/index.ts'
import type { Gate } from './gate.ts'

/** The newest backup is as young as its schedule wants it, and none is under way. Without a schedule: nothing is asked. */
export function backup(client: CinqueClient): Gate {
  return {
    name: 'backup',
    look: async () => {
      const { items } = await client.get('/v1/schedules')
      return items.flatMap(({ name, job, enabled, overdue, last, last_success: success }) => {
        if (job !== 'backup' || !enabled) return []
        if (last?.state === 'running') return [`backup ${name} is under way`]
        const newest = success === null ? 'there is none' : `the newest is of ${success}`
        return overdue ? [`backup ${name} is overdue: ${newest}`] : []
      })
    },
  }
}
