import type { Noun } from '#scripts/rest/verb.ts'

export const keys: Noun = {
  name: 'keys',
  text: 'API keys of programs',
  verbs: [
    {
      name: 'list',
      operation: 'listApiKeys',
      example: '',
      columns: ['name', 'role', 'scopes', 'expires_at', 'last_used_at', 'id'],
    },
    {
      name: 'show',
      operation: 'getApiKey',
      example: '0197a4c2',
    },
    {
      name: 'add',
      operation: 'createApiKey',
      example: 'dashboard --role viewer --scopes telemetry:read',
      args: ['name'],
    },
    {
      name: 'rm',
      operation: 'deleteApiKey',
      example: '0197a4c2',
      done: 'removed',
    },
  ],
}
