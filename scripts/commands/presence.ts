import type { Noun } from '#scripts/rest/verb.ts'

export const presence: Noun = {
  name: 'presence',
  text: 'which devices are connected, and why not',
  verbs: [
    {
      name: 'list',
      operation: 'listPresence',
      example: '--connected false',
      columns: ['device.name', 'connected', 'since', 'reason', 'active', 'last_activity'],
    },
    {
      name: 'show',
      operation: 'getDevicePresence',
      example: 'pump-1',
    },
    {
      name: 'history',
      operation: 'listDevicePresenceHistory',
      example: 'pump-1',
      columns: ['at', 'connected', 'reason', 'client_id', 'dc', 'address'],
    },
  ],
}
