import { table } from '#platform/store/table.ts'

/** Every column type, as key where it may be one, and as value. */
export const every = table({
  name: 'test_every',
  partition: { org: 'text', log: 'blob', day: 'int' },
  clustering: { writer: 'blob', seq: 'long' },
  columns: {
    text: 'text',
    bytes: 'blob',
    small: 'int',
    large: 'long',
    ratio: 'double',
    flag: 'boolean',
    eighth: 'text',
    ninth: 'int',
  },
  compaction: 'UCS',
})

/** One partition key, no clustering key: one row a partition. */
export const single = table({
  name: 'test_single',
  partition: { id: 'text' },
  clustering: {},
  columns: { value: 'text', version: 'long' },
  compaction: 'UCS',
})

export const ordered = table({
  name: 'test_ordered',
  partition: { group: 'text' },
  clustering: { name: 'text', n: 'long', part: 'int', raw: 'blob' },
  columns: { value: 'int' },
  compaction: 'UCS',
})

export const stamped = table({
  name: 'test_stamped',
  partition: { org: 'text' },
  clustering: { name: 'text' },
  columns: { value: 'text', stamp: 'long' },
  stamp: 'stamp',
  compaction: 'UCS',
})

export const fadingSpec = {
  name: 'test_fading',
  partition: { org: 'text' },
  clustering: { n: 'int' },
  columns: { value: 'text' },
  ttlDays: 7,
  compaction: 'TWCS',
} as const

export const fading = table(fadingSpec)
