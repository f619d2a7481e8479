import { table } from '../store/table.ts'

/** Days after its last change that a plan is gone by itself: longer than it may be planned ahead. */
export const keptDays = 400

/**
 * Planned maintenance windows and silences of alerts, of the whole platform: some dozens, which are read at once. A
 * deleted one stays as a mark, so that no late change of it brings it back.
 */
export const plan = table({
  name: 'plan',
  /** `maintenance` or `silence`. */
  partition: { kind: 'text' },
  clustering: { id: 'text' },
  columns: {
    /** What customers read, or why it is silent. */
    title: 'text',
    description: 'text',
    /** JSON lists of names of DCs and hosts, and of alerts; absent: all. */
    subjects: 'text',
    alerts: 'text',
    /** Who made it. */
    owner: 'text',
    /** Milliseconds since 1970. */
    starts_at: 'long',
    ends_at: 'long',
    created_at: 'long',
    deleted_at: 'long',
    version: 'long',
  },
  ttlDays: keptDays,
  compaction: 'UCS',
})
