import { table } from '../store/table.ts'

/**
 * What people said about DCs and hosts. The later word wins, so that it can be said in a DC that is alone: when most are
 * away is when it is needed. One partition; there are few.
 */
export const override = table({
  name: 'override',
  /** Always `cinque`. */
  partition: { part: 'text' },
  /** Name of a DC or host. */
  clustering: { subject: 'text' },
  columns: {
    /** `out`, `in`, `weight`; absent: taken back. */
    action: 'text',
    percent: 'int',
    owner: 'text',
    reason: 'text',
    at: 'long',
    /** Milliseconds since 1970; absent: holds until it is taken back. */
    expires_at: 'long',
    stamp: 'long',
  },
  stamp: 'stamp',
  compaction: 'UCS',
})
