import { z } from 'zod'
import { plain } from '#scripts/output.ts'
import { quote } from './shell.ts'

export interface JournalQuery {
  /** Patterns of systemd's names of units; none: the whole journal. */
  readonly units: readonly string[]
  /** As journalctl takes it: `-1h`, `2026-11-21 04:00`. */
  readonly since?: string | undefined
  readonly until?: string | undefined
  /** Perl-compatible regular expression. */
  readonly grep?: string | undefined
}

/** Units of ours that people call shorter. */
const short: Readonly<Record<string, string>> = {
  api: 'cinque-api',
  broker: 'cinque-broker*',
  nats: 'cinque-nats',
  healthcheck: 'cinque-healthcheck',
  checker: 'cinque-healthcheck',
  backup: 'cinque-backup*',
  operator: 'cinque-operator',
}
export const ownUnits = ['cinque-*', 'cassandra']

export function unitPattern(name: string): string {
  return short[name] ?? name
}

/** For journalctl: these entries, in UTC. */
export function journalCommand({ units, since, until, grep }: JournalQuery, ...more: string[]): string {
  const args = [
    ...units.flatMap((unit) => ['--unit', quote(unit)]),
    ...(since === undefined ? [] : [`--since=${quote(since)}`]),
    ...(until === undefined ? [] : [`--until=${quote(until)}`]),
    ...(grep === undefined ? [] : [`--grep=${quote(grep)}`]),
    ...more,
  ]
  return `journalctl --quiet --no-pager --utc ${args.join(' ')}`
}

/** Output as JSON, of which only this is asked for. */
export const entryOutput =
  '--output=json --output-fields=MESSAGE,_SYSTEMD_UNIT,UNIT,SYSLOG_IDENTIFIER,PRIORITY'

const text = z.union([
  z.string(),
  // Bytes that are no UTF-8.
  z.array(z.number()).transform((bytes) => Buffer.from(bytes).toString()),
  z.null().transform(() => ''),
])
const entrySchema = z.object({
  __CURSOR: z.string(),
  __REALTIME_TIMESTAMP: z.coerce.number(),
  MESSAGE: text.optional(),
  _SYSTEMD_UNIT: z.string().optional(),
  UNIT: z.string().optional(),
  SYSLOG_IDENTIFIER: z.string().optional(),
})

export interface JournalEntry {
  readonly cursor: string
  /** Milliseconds since 1970, by the host's clock. */
  readonly at: number
  readonly unit: string
  readonly message: string
}

/** Null: it is none. */
export function entryOf(line: string): JournalEntry | null {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return null
  }
  const { success, data } = entrySchema.safeParse(value)
  if (!success) return null
  const { __CURSOR: cursor, __REALTIME_TIMESTAMP: micros, MESSAGE: message = '' } = data
  // What systemd says of a unit is about UNIT.
  const { UNIT: subject, _SYSTEMD_UNIT: writer, SYSLOG_IDENTIFIER: program = '-' } = data
  const unit = (subject ?? writer ?? program).replace(/\.service$/, '').replace(/^cinque-/, '')
  return { cursor, at: micros / 1000, unit, message }
}

const levels = new Map([
  [10, 'trace'],
  [20, 'debug'],
  [30, 'info'],
  [40, 'warn'],
  [50, 'error'],
  [60, 'fatal'],
])

/** For people: our own lines, which are JSON, as their level and text with the rest behind. */
export function entryLine(host: string, { at, unit, message }: JournalEntry): string {
  return plain(`${new Date(at).toISOString()} ${host} ${unit} ${readable(message)}`)
}

function readable(message: string): string {
  if (!message.startsWith('{')) return message
  try {
    const { level, time: _, msg, ...rest } = JSON.parse(message) as Record<string, unknown>
    if (typeof msg !== 'string') return message
    const more = Object.keys(rest).length === 0 ? '' : ` ${JSON.stringify(rest)}`
    return `${levels.get(Number(level)) ?? String(level)} ${msg}${more}`
  } catch {
    return message
  }
}
