import { table } from '../store/table.ts'

/** Days for which it is known what was done to the fleet. */
const historyDays = 800

/** What is being done to the fleet, or was last: one row, so that there is one thing at a time. */
export const rollNow = table({
  name: 'roll_now',
  partition: { scope: 'text' },
  clustering: {},
  columns: {
    /** Another one after each change, by which the next is written on condition of this. */
    tag: 'text',
    /** JSON, see Roll. */
    body: 'text',
  },
  compaction: 'UCS',
})

/** What has been done to the fleet. */
export const rollPast = table({
  name: 'roll_past',
  partition: { scope: 'text' },
  /** UUID v7, so in order of time. */
  clustering: { id: 'text' },
  columns: { body: 'text' },
  compaction: 'UCS',
  ttlDays: historyDays,
})
