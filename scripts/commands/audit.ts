import type { Noun } from '#scripts/rest/verb.ts'

export const audit: Noun = {
  name: 'audit',
  text: 'who changed what',
  verbs: [
    {
      name: 'list',
      operation: 'listAudit',
      example: '--operation deleteDevice --limit 20',
      columns: ['at', 'actor.name', 'operation', 'targets', 'outcome'],
    },
    {
      name: 'export',
      operation: 'exportAudit',
      example: '--format csv --output audit.csv',
    },
  ],
}
