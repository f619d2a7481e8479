import { table } from '../store/table.ts'

/** Longer than anything waits, and than a link is good. */
const ttlDays = 8

/** What is to be done outside of the platform, and is not done yet. Put by who wants it, deleted when it is done. */
export const outbox = table({
  name: 'outbox',
  partition: { part: 'int' },
  clustering: { id: 'text' },
  columns: {
    /** JSON, see Job. */
    body: 'text',
  },
  ttlDays,
  compaction: 'UCS',
})

/** Who does it, and that it is done. Put conditionally, and not deleted: so it is not begun again. */
export const outboxClaim = table({
  name: 'outbox_claim',
  partition: { id: 'text' },
  clustering: {},
  columns: {
    /** Another one after each change. */
    tag: 'text',
    /** JSON, see Claim. */
    body: 'text',
  },
  ttlDays,
  compaction: 'UCS',
})
