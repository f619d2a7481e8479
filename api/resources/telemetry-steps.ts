import { z } from 'zod'
import type { DeviceRef } from '#platform/auth/principal.ts'
import { type AggregateName, aggregateNames, type AggregateQuery } from '#platform/telemetry/aggregates.ts'
import { parseSteps, StepError, type Steps } from '#platform/telemetry/steps.ts'
import type { ApiDeps } from '../deps.ts'
import { spanOf, wrongQuery } from './telemetry-query.ts'

const aggregateList = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(z.enum(aggregateNames)).min(1).max(aggregateNames.length))
  .optional()

/** Query parameters of steps. */
export const stepQuery = {
  step: z
    .string()
    .max(32)
    .optional()
    .describe(
      'aggregates of steps instead of values: 30s, 1m, 15m, 1h, 1d, 1w, 1mo, 1y, PT15M, P1D, day, week, month, year. Steps are whole: the first is the one that from is in',
    ),
  time_zone: z
    .string()
    .max(64)
    .optional()
    .describe('IANA name; days, weeks, months and years begin at its midnight; default: UTC'),
  aggregates: aggregateList.describe(
    `which, separated by commas, of ${aggregateNames.join(', ')}; default: min,max,avg,count`,
  ),
}

interface StepQuery {
  readonly from?: number | undefined
  readonly to?: number | undefined
  readonly keys?: readonly string[] | undefined
  readonly time_zone?: string | undefined
  readonly aggregates?: readonly AggregateName[] | undefined
}

const dayMs = 86_400_000
const defaultAggregates: readonly AggregateName[] = ['min', 'max', 'avg', 'count']

/** Problem `invalid_request` for parameters that mean something with `step` only. */
export function gateNoSteps({ time_zone: timeZone, aggregates }: StepQuery): void {
  if (timeZone !== undefined) throw wrongQuery('time_zone', 'is for steps; give step as well')
  if (aggregates !== undefined) throw wrongQuery('aggregates', 'are of steps; give step as well')
}

/** What is asked for: from the first value, to now, of all keys, unless the query says otherwise. */
export async function stepsAsked(
  deps: ApiDeps,
  device: DeviceRef,
  query: StepQuery,
  step: string,
): Promise<Pick<AggregateQuery, 'from' | 'to' | 'steps' | 'keys' | 'wanted'>> {
  const { telemetry } = deps.platform
  const steps = stepsOf(step, query.time_zone)
  const now = deps.clock.now()
  spanOf(query, now)
  const keys = [...new Set(query.keys ?? (await telemetry.keys(device)))].toSorted()
  const from = query.from ?? ((await telemetry.firstDay(device)) ?? Number.POSITIVE_INFINITY) * dayMs
  return { from, to: query.to ?? now + 1, steps, keys, wanted: query.aggregates ?? defaultAggregates }
}

/** Problem `invalid_request` that names the parameter. */
function stepsOf(step: string, timeZone: string | undefined): Steps {
  try {
    return parseSteps(step, timeZone)
  } catch (error) {
    if (error instanceof StepError) throw wrongQuery(error.field, error.message)
    throw error
  }
}
