import type { Noun } from '#scripts/rest/verb.ts'

export const clients: Noun = {
  name: 'clients',
  text: 'MQTT clients, in whatever process they are',
  verbs: [
    {
      name: 'list',
      operation: 'listClients',
      example: '--connected true',
      columns: ['id', 'connected', 'dc', 'process', 'address', 'queued', 'since'],
    },
    {
      name: 'show',
      operation: 'getClient',
      example: 'pump-1',
    },
    {
      name: 'subscriptions',
      operation: 'listClientSubscriptions',
      example: 'pump-1',
      list: 'subscriptions',
      columns: ['filter', 'qos', 'no_local'],
      empty: 'no subscriptions',
    },
    {
      name: 'kick',
      operation: 'deleteClient',
      example: 'pump-1',
      done: 'disconnected',
    },
    {
      name: 'trace',
      operation: 'getClientTrace',
      example: 'pump-1',
    },
    {
      name: 'trace-device',
      operation: 'getDeviceTrace',
      example: 'pump-1',
    },
  ],
}
