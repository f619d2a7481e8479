import type { Noun } from '#scripts/rest/verb.ts'

export const sessions: Noun = {
  name: 'sessions',
  text: 'your own sessions',
  verbs: [
    {
      name: 'list',
      operation: 'listSessions',
      example: '',
      columns: ['id', 'current', 'created_at', 'used_at', 'address', 'agent'],
    },
    {
      name: 'rm',
      operation: 'deleteSession',
      example: '0197a4c2',
      done: 'removed',
    },
  ],
}
