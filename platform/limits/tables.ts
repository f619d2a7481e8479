import { table } from '../store/table.ts'

/**
 * What an organisation has used, by day. One row for each process, written by that process only and never counted back:
 * the sum of a day's rows is the day. Also the marks that somebody was warned (`writer` begins with `!`).
 */
export const usage = table({
  name: 'usage',
  /** `month`: `2026-11`, in UTC. */
  partition: { org: 'text', month: 'text' },
  /** `day`: `2026-11-21`. */
  clustering: { day: 'text', writer: 'text' },
  columns: {
    requests: 'long',
    messages: 'long',
    points: 'long',
    /** Connected now, and the most there were at a time. */
    connections: 'long',
    connections_peak: 'long',
    stamp: 'long',
  },
  ttlDays: 400,
  stamp: 'stamp',
  compaction: 'UCS',
})

/** What an organisation may use, where that is not what the configuration says. */
export const quota = table({
  name: 'quota',
  partition: { org: 'text' },
  clustering: {},
  /** 0: no limit; absent: as configured. */
  columns: {
    requests: 'long',
    messages: 'long',
    points: 'long',
    connections: 'long',
    storage_days: 'long',
    version: 'long',
  },
  compaction: 'UCS',
})
