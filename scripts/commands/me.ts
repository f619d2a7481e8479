import type { Noun } from '#scripts/rest/verb.ts'

export const me: Noun = {
  name: 'me',
  text: 'your own account',
  verbs: [
    { name: 'export', operation: 'exportMe', example: '--json' },
    {
      name: 'show',
      operation: 'getMe',
      example: '',
    },
    {
      name: 'update',
      operation: 'updateMe',
      example: '--name Ada',
    },
    {
      name: 'password',
      operation: 'changePassword',
      example: '--body -',
      done: 'changed',
    },
    {
      name: 'erase',
      operation: 'eraseMe',
      example: '--body -',
      done: 'erased',
    },
    {
      name: 'reset',
      operation: 'requestPasswordReset',
      example: 'ada@example.com',
      args: ['email'],
    },
    {
      name: 'reset-confirm',
      operation: 'confirmPasswordReset',
      example: 'TOKEN --body -',
      args: ['token'],
      done: 'changed',
    },
  ],
}
