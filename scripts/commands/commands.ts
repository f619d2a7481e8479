import type { Noun } from '#scripts/rest/verb.ts'

export const commands: Noun = {
  name: 'commands',
  text: 'what devices should do, and what came of it',
  verbs: [
    {
      name: 'list',
      operation: 'listCommands',
      example: '--state queued',
      columns: ['id', 'device', 'name', 'state', 'created_at', 'ended_at'],
    },
    {
      name: 'history',
      operation: 'listDeviceCommands',
      example: 'pump-1',
      columns: ['id', 'name', 'state', 'attempt', 'created_at', 'ended_at'],
    },
    {
      name: 'send',
      operation: 'sendCommand',
      example: `pump-1 restart --params '{"delay":5}'`,
      args: ['name'],
    },
    {
      name: 'send-many',
      operation: 'sendCommands',
      example: 'restart --group berlin',
      args: ['name'],
    },
    {
      name: 'show',
      operation: 'readCommand',
      example: 'pump-1 0197a4c2 --wait 30s',
    },
    {
      name: 'cancel',
      operation: 'cancelCommand',
      example: 'pump-1 0197a4c2',
    },
  ],
}
