import { createTask, validateDetailed } from 'node-cron'
import { PlatformError } from '../errors.ts'

const minuteMs = 60_000
/** Minutes looked at in one go at most. */
const maxMinutes = 62 * 1440

/** Whether an expression of five fields (minute, hour, day, month, weekday) means a minute, in a time zone. */
interface Matcher {
  (at: number): boolean
}

const known = new Map<string, Matcher>()
const maxKnown = 200

/** PlatformError `invalid_field` that names what is wrong with the expression or the zone. */
export function checkCron(cron: string, timezone: string): void {
  if (cron.trim().split(/\s+/).length !== 5) {
    throw new PlatformError(
      'invalid_field',
      `"${cron}" must have five fields: minute, hour, day of the month, month, day of the week`,
      'cron',
    )
  }
  const { errors } = validateDetailed(cron)
  if (errors.length > 0) {
    const [{ field, value }] = errors
    throw new PlatformError('invalid_field', `"${value ?? cron}" is no ${field} of a cron expression`, 'cron')
  }
  try {
    Intl.DateTimeFormat('en', { timeZone: timezone })
  } catch {
    throw new PlatformError(
      'invalid_field',
      `there is no time zone "${timezone}"; one is Europe/Berlin, another UTC`,
      'timezone',
    )
  }
}

/** Minutes that an expression means, after `from` up to `to`, at most the first `limit`. Milliseconds since 1970. */
export function dueTimes(
  { cron, timezone }: { cron: string; timezone: string },
  from: number,
  to: number,
  limit = 1000,
): number[] {
  const matches = matcherOf(cron, timezone)
  const found: number[] = []
  const last = Math.min(to, from + maxMinutes * minuteMs)
  for (
    let at = Math.floor(from / minuteMs + 1) * minuteMs;
    at <= last && found.length < limit;
    at += minuteMs
  )
    if (matches(at)) found.push(at)
  return found
}

/** The last minute that it means, at or before `at` and after `after`. */
export function lastDue(
  { cron, timezone }: { cron: string; timezone: string },
  at: number,
  after: number,
): number | undefined {
  const matches = matcherOf(cron, timezone)
  const first = Math.max(after, at - maxMinutes * minuteMs)
  for (let minute = Math.floor(at / minuteMs) * minuteMs; minute > first; minute -= minuteMs)
    if (matches(minute)) return minute
  return undefined
}

function matcherOf(cron: string, timezone: string): Matcher {
  const key = `${timezone} ${cron}`
  let matcher = known.get(key)
  if (matcher === undefined) {
    const task = createTask(cron, () => undefined, { timezone })
    matcher = (at) => task.match(new Date(at))
    void task.destroy()
    if (known.size >= maxKnown) known.clear()
    known.set(key, matcher)
  }
  return matcher
}
