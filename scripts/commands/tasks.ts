import type { Noun } from '#scripts/rest/verb.ts'

export const tasks: Noun = {
  name: 'tasks',
  text: 'what takes longer: imports, changes and deletions of many devices',
  verbs: [
    {
      name: 'list',
      operation: 'listTasks',
      example: '',
      columns: ['id', 'kind', 'state', 'total', 'succeeded', 'failed', 'created_at'],
    },
    {
      name: 'show',
      operation: 'getTask',
      example: '0197a4c2',
    },
    {
      name: 'result',
      operation: 'getTaskResult',
      example: '0197a4c2 --output result.ndjson',
    },
    {
      name: 'cancel',
      operation: 'createTaskCancel',
      example: '0197a4c2',
    },
  ],
}
