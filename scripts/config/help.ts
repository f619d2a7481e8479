import type { z } from 'zod'
import { type ConfigKey, configKeys, schemaOf } from './keys.ts'

/** Every key of a configuration with its default, what it may be and what it does. */
export function configHelp(schema: z.ZodType): string {
  return [
    'Configuration keys (defaults < --config < CINQUE_* < --set and the options above):',
    ...configKeys(schemaOf(schema)).flatMap(entry),
    '',
    "Variables are named like CINQUE_MQTT_RECEIVE_MAXIMUM. Lists: --set 'listen=[tcp://127.0.0.1:1883, ws://127.0.0.1:8083]',",
    "or one element: --set auth.users.0.username=alice --set auth.users.0.password='secret'",
  ].join('\n')
}

function entry(key: ConfigKey): string[] {
  const fallback =
    key.default === undefined
      ? key.required
        ? 'required with its section'
        : 'no default'
      : `default ${JSON.stringify(key.default)}`
  return [
    `  ${key.path}  (${fallback}; ${key.expected})`,
    ...(key.description === '' ? [] : wrap(key.description)),
  ]
}

function wrap(text: string): string[] {
  const lines: string[] = []
  let line = '     '
  for (const word of text.split(' ')) {
    if (line.length + word.length > 105) {
      lines.push(line)
      line = '     '
    }
    line += ` ${word}`
  }
  return [...lines, line]
}
