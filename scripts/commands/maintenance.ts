import type { Noun } from '#scripts/rest/verb.ts'

export const maintenance: Noun = {
  name: 'maintenance',
  text: 'planned maintenance windows, which the status page shows and during which alerts are silent',
  verbs: [
    {
      name: 'list',
      operation: 'listMaintenance',
      example: '',
      columns: ['id', 'title', 'starts_at', 'ends_at', 'owner'],
      list: 'windows',
      empty: 'no maintenance windows',
    },
    { name: 'show', operation: 'getMaintenance', example: 'w9XkQ2mF0tXy7bKq3nVhAA' },
    {
      name: 'add',
      operation: 'createMaintenance',
      example:
        '"New disks in Nuremberg" --subjects dc03 --starts-at 2026-12-01T02:00:00Z --ends-at 2026-12-01T04:00:00Z',
      args: ['title'],
    },
    {
      name: 'update',
      operation: 'updateMaintenance',
      example: 'w9XkQ2mF0tXy7bKq3nVhAA --ends-at 2026-12-01T05:00:00Z',
    },
    { name: 'end', operation: 'deleteMaintenance', example: 'w9XkQ2mF0tXy7bKq3nVhAA', done: 'ended' },
  ],
}
