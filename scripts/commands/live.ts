import type { Noun } from '#scripts/rest/verb.ts'

export const live: Noun = {
  name: 'live',
  text: 'what happens, as it happens',
  verbs: [
    {
      name: 'tail',
      operation: 'getLive',
      example: '--types presence,command',
    },
    {
      name: 'messages',
      operation: 'getLiveMessages',
      example: "'v1/devices/#'",
      args: ['topic'],
    },
  ],
}
