import type { Noun } from '#scripts/rest/verb.ts'

export const nodes: Noun = {
  name: 'nodes',
  text: 'parts of a device with keys of their own',
  verbs: [
    {
      name: 'list',
      operation: 'listDeviceNodes',
      example: 'pump-1',
      columns: ['name', 'id', 'created_at'],
    },
    {
      name: 'add',
      operation: 'createDeviceNode',
      example: 'pump-1 --name motor',
    },
    {
      name: 'rm',
      operation: 'deleteDeviceNode',
      example: 'pump-1 0197a4c2',
      done: 'removed',
    },
  ],
}
