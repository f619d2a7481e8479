import type { Noun } from '#scripts/rest/verb.ts'

export const administrators: Noun = {
  name: 'administrators',
  text: 'administrators of the platform, who see all organisations',
  verbs: [
    {
      name: 'list',
      operation: 'listAdministrators',
      example: '',
      columns: ['email', 'name', 'id'],
    },
    {
      name: 'add',
      operation: 'putAdministrator',
      example: '0197a4c2',
    },
    {
      name: 'rm',
      operation: 'deleteAdministrator',
      example: '0197a4c2',
      done: 'removed',
    },
  ],
}
