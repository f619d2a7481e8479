import { z } from 'zod'
import { telemetryLimits } from '#platform/telemetry/payload.ts'
import { Problem } from '../problems.ts'

/** Keys that one request may name. */
const maxKeys = 100

/** A value at a time, as answers show it. */
export const point = z
  .object({
    key: z.string(),
    ts: z.int().describe('milliseconds since 1970'),
    value: z.unknown().describe('number, string, boolean, object or array'),
  })
  .meta({ id: 'Point' })

/** A time in a query. */
export const time = z
  .union(
    [
      z
        .string()
        .regex(/^\d{1,15}$/)
        .transform(Number),
      z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
    ],
    'must be milliseconds since 1970 or a time like 2026-11-21T12:00:00Z',
  )
  .optional()

/** Keys in a query, separated by commas. */
export const keyList = z
  .string()
  .min(1)
  .transform((text) => text.split(','))
  .pipe(z.array(z.string().min(1).max(telemetryLimits.keyLength)).max(maxKeys))
  .optional()

/** A key in a cursor. */
export const cursorKey = z.string().max(telemetryLimits.keyLength)

/**
 * The span that a query means: from the beginning, to as far ahead as values are taken. Problem `invalid_request` if it
 * ends before it begins.
 */
export function spanOf(
  query: { readonly from?: number | undefined; readonly to?: number | undefined },
  now: number,
): { from: number; to: number } {
  const from = query.from ?? 0
  const to = query.to ?? now + telemetryLimits.ahead + 1
  if (from >= to && query.to !== undefined)
    throw wrongQuery('to', `must be after from (${new Date(from).toISOString()})`)
  return { from, to }
}

/** A query that its schema cannot refuse alone. */
export function wrongQuery(name: string, message: string): Problem {
  const field = `query.${name}`
  return new Problem('invalid_request', `${field}: ${message}`, { errors: [{ field, message }] })
}
