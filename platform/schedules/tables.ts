import { table } from '../store/table.ts'

/** Always `fleet`: there are few, and they are read together. */
const scope = { scope: 'text' } as const

/** What is done to the fleet by itself, and when. */
export const schedule = table({
  name: 'schedule',
  partition: scope,
  clustering: { name: 'text' },
  columns: {
    /** JSON, see Schedule; absent: deleted. */
    body: 'text',
    stamp: 'long',
  },
  stamp: 'stamp',
  compaction: 'UCS',
})

/** Each time that one was due: who did it, and what came of it. Put conditionally, so that it is done once. */
export const scheduleRun = table({
  name: 'schedule_run',
  partition: { schedule: 'text' },
  /** Milliseconds since 1970. */
  clustering: { due: 'long' },
  columns: {
    /** Another one after each change. */
    tag: 'text',
    /** JSON, see ScheduleRun. */
    body: 'text',
  },
  ttlDays: 400,
  compaction: 'UCS',
})
