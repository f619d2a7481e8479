import { table } from '#platform/store/table.ts'

/** Rows with numbers, the same in each partition. */
export const numbered = table({
  name: 'test_numbered',
  partition: { partition: 'text' },
  clustering: { n: 'long' },
  columns: { value: 'blob' },
  compaction: 'UCS',
})

export const numberedPartitions = ['a', 'm', 'z'] as const
