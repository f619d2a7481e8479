import type { Noun } from '#scripts/rest/verb.ts'

export const twins: Noun = {
  name: 'twins',
  text: 'what devices should be, and what they are',
  verbs: [
    {
      name: 'list',
      operation: 'listDeviceTwins',
      example: 'pump-1',
      columns: ['name', 'version', 'in_sync', 'desired', 'reported'],
    },
    {
      name: 'show',
      operation: 'getDeviceTwin',
      example: 'pump-1 config',
    },
    {
      name: 'set',
      operation: 'putDeviceTwin',
      example: `pump-1 config --desired '{"interval":60}'`,
    },
    {
      name: 'update',
      operation: 'updateDeviceTwin',
      example: `pump-1 config --desired '{"interval":30}'`,
    },
    {
      name: 'rm',
      operation: 'deleteDeviceTwin',
      example: 'pump-1 config',
      done: 'removed',
    },
  ],
}
