import type { Noun } from '#scripts/rest/verb.ts'

export const silence: Noun = {
  name: 'silence',
  text: 'alerts that are known, and not sent for a while',
  verbs: [
    {
      name: 'list',
      operation: 'listSilences',
      example: '',
      columns: ['id', 'reason', 'alerts', 'subjects', 'ends_at', 'owner'],
      list: 'silences',
      empty: 'no silences',
    },
    { name: 'show', operation: 'getSilence', example: 'c1zTtJq0uYw5o2fKxkqQvg' },
    {
      name: 'add',
      operation: 'createSilence',
      example: '"disk is on its way" --alerts HostDown --subjects dc03-app1 --ends-at 2026-12-01T04:00:00Z',
      args: ['reason'],
    },
    {
      name: 'update',
      operation: 'updateSilence',
      example: 'c1zTtJq0uYw5o2fKxkqQvg --ends-at 2026-12-02T04:00:00Z',
    },
    { name: 'end', operation: 'deleteSilence', example: 'c1zTtJq0uYw5o2fKxkqQvg', done: 'ended' },
  ],
}
