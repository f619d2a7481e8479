import type { Noun } from '#scripts/rest/verb.ts'

export const batches: Noun = {
  name: 'batches',
  text: 'one command to many devices',
  verbs: [
    {
      name: 'list',
      operation: 'listCommandBatches',
      example: '',
      columns: ['id', 'name', 'state', 'made', 'created_at'],
    },
    {
      name: 'show',
      operation: 'readCommandBatch',
      example: '0197a4c2 --wait 30s',
    },
    {
      name: 'commands',
      operation: 'listCommandsOfBatch',
      example: '0197a4c2 --state failed',
      list: 'commands',
      columns: ['id', 'device', 'name', 'state', 'ended_at'],
    },
    {
      name: 'cancel',
      operation: 'cancelCommandBatch',
      example: '0197a4c2',
    },
  ],
}
