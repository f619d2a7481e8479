import type { Noun } from '#scripts/rest/verb.ts'

export const retention: Noun = {
  name: 'retention',
  text: 'how long values are kept',
  verbs: [
    {
      name: 'show',
      operation: 'getRetention',
      example: '',
    },
    {
      name: 'set',
      operation: 'putRetention',
      example: `--rules '[{"values":"90d"}]'`,
    },
    {
      name: 'device',
      operation: 'listDeviceRetention',
      example: 'pump-1',
      columns: ['key', 'values_days', 'minutes_days', 'quarters_days', 'reason'],
    },
  ],
}
