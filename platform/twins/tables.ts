import { table } from '../store/table.ts'

/** What people want of a device: a named document. The row stays when it is deleted, so that its version never goes back. */
export const twin = table({
  name: 'twin',
  partition: { org: 'text', device: 'text' },
  clustering: { name: 'text' },
  columns: {
    /** JSON object; absent: deleted. */
    desired: 'text',
    version: 'long',
    updated_at: 'long',
    updated_by: 'text',
  },
  compaction: 'UCS',
})

/** What a device says of itself: a row a value, of which the newest wins, whoever writes it. */
export const twinReported = table({
  name: 'twin_reported',
  partition: { org: 'text', device: 'text' },
  /** `path`: JSON pointer (RFC 6901). */
  clustering: { name: 'text', path: 'text' },
  columns: {
    /** JSON, no object; absent: it was deleted, and all that was below it. */
    value: 'text',
    stamp: 'long',
  },
  stamp: 'stamp',
  compaction: 'UCS',
})
