import type { Noun } from '#scripts/rest/verb.ts'

export const usage: Noun = {
  name: 'usage',
  text: 'what was used, and what may be',
  verbs: [
    {
      name: 'show',
      operation: 'getUsage',
      example: '',
    },
    {
      name: 'quotas',
      operation: 'getQuotas',
      example: 'acme',
    },
    {
      name: 'set-quotas',
      operation: 'putQuotas',
      example: 'acme --messages 1000000',
    },
  ],
}
