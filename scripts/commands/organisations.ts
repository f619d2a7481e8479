import type { Noun } from '#scripts/rest/verb.ts'

export const organisations: Noun = {
  name: 'organisations',
  text: 'organisations, which see nothing of each other',
  verbs: [
    {
      name: 'list',
      operation: 'listOrganisations',
      example: '',
      columns: ['id', 'name', 'durability', 'created_at'],
    },
    {
      name: 'show',
      operation: 'getOrganisation',
      example: 'acme',
    },
    {
      name: 'add',
      operation: 'createOrganisation',
      example: 'acme --name "Acme Ltd"',
      args: ['id'],
    },
    {
      name: 'update',
      operation: 'updateOrganisation',
      example: 'acme --durability geo',
    },
    {
      name: 'rm',
      operation: 'deleteOrganisation',
      example: 'acme',
      done: 'removed',
    },
    {
      name: 'rotate',
      operation: 'createOrganisationToken',
      example: 'acme',
    },
  ],
}
