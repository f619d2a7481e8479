import { table } from '../store/table.ts'

/**
 * Requests that may come again, and what was answered. One row for each process that took the request, written by
 * that process only, so that no row is ever contended for.
 */
export const idempotency = table({
  name: 'idempotency',
  /** `id`: hash of caller and key. */
  partition: { org: 'text', id: 'blob' },
  /** In order of time. */
  clustering: { claim: 'text' },
  columns: {
    /** SHA-256 of what was asked. */
    request: 'blob',
    /** Milliseconds since 1970. */
    claimed_at: 'long',
    /** Absent: it is under way, or its process has died. */
    finished_at: 'long',
    /** Encrypted; absent after the end: it was too long to be kept. */
    answer: 'blob',
  },
  ttlDays: 1,
  compaction: 'TWCS',
})
