import type { Noun } from '#scripts/rest/verb.ts'

export const credentials: Noun = {
  name: 'credentials',
  text: 'keys of a device: several, for rotation without a gap',
  verbs: [
    {
      name: 'list',
      operation: 'listDeviceCredentials',
      example: 'pump-1',
      columns: ['id', 'label', 'created_at', 'expires_at', 'last_used_at'],
    },
    {
      name: 'add',
      operation: 'createDeviceCredential',
      example: 'pump-1 --label spare',
    },
    {
      name: 'rm',
      operation: 'deleteDeviceCredential',
      example: 'pump-1 0197a4c2',
      done: 'removed',
    },
  ],
}
