import { z } from 'zod'
import type { DeviceRef } from '#platform/auth/principal.ts'
import type { ApiDeps } from '../deps.ts'
import { decodeCursor, encodeCursor, pageOf } from '../paging.ts'
import { route, type Route } from '../route.ts'
import { deviceOf, deviceParams, organisationQuery } from '../scope.ts'
import { cursorKey, keyList, spanOf, time } from './telemetry-query.ts'
import { gateNoSteps, stepQuery, stepsAsked } from './telemetry-steps.ts'

const maxItems = 10_000
const defaultPoints = 100
const defaultSteps = 1_000

const number = z.number().nullable().optional()
const anything = z.unknown().optional()
/** One schema for both: a choice between two would be tried for each of thousands of items. */
const item = z
  .object({
    key: z.string(),
    ts: z.int().describe('milliseconds since 1970; of a step: its beginning'),
    value: anything.describe('without step: number, string, boolean, object or array'),
    min: number,
    max: number,
    avg: number,
    sum: number,
    count: z.int().optional().describe('values of any type'),
    first: anything,
    last: anything,
    p95: number.describe('within 1 % of the exact one'),
  })
  .meta({
    id: 'HistoryItem',
    description: 'A value; or with step the aggregates of one, without values count 0 and null',
  })

const pointPlace = z.tuple([z.int(), cursorKey, z.int().min(0).max(2_147_483_647)])
const stepPlace = z.tuple([z.int(), cursorKey])

const historyQuery = z.strictObject({
  ...organisationQuery,
  from: time.describe('inclusive; milliseconds since 1970 or RFC 3339; default: the beginning'),
  to: time.describe('exclusive; default: no end, of steps: now'),
  keys: keyList.describe('only these, separated by commas; default: all'),
  ...stepQuery,
  limit: z.coerce
    .number('must be a whole number')
    .int()
    .min(1)
    .max(maxItems)
    .optional()
    .describe(`default: ${defaultPoints} values, ${defaultSteps} steps`),
  order: z.enum(['asc', 'desc']).default('desc').describe('desc: newest first'),
  cursor: z
    .string()
    .min(1)
    .max(2048)
    .optional()
    .describe('`next` of the page before; the rest must be the same'),
})

const problems = ['organisation_not_found', 'device_not_found'] as const
const tag = 'telemetry'

export const telemetry: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/devices/{device}/telemetry',
    access: 'device',
    summary: 'Values in a range of time, or aggregates of steps of it, all keys merged in order of time',
    tag,
    params: deviceParams,
    query: historyQuery,
    status: 200,
    answer: pageOf(item),
    problems,
    handle: async ({ deps, caller, params: { device }, query }) => {
      const ref = await deviceOf(deps, caller, device, query.organisation)
      return query.step === undefined ? values(deps, ref, query) : steps(deps, ref, query, query.step)
    },
  }),
]

type HistoryQuery = z.output<typeof historyQuery>

async function values(deps: ApiDeps, device: DeviceRef, query: HistoryQuery) {
  gateNoSteps(query)
  const { keys, order, cursor, limit = defaultPoints } = query
  const span = spanOf(query, deps.clock.now())
  const place = cursor === undefined ? undefined : decodeCursor(cursor, pointPlace)
  const after = place && { ts: place[0], key: place[1], n: place[2] }
  const page = await deps.platform.telemetry.history(device, { ...span, keys, limit, order, after })
  const { next } = page
  return { items: page.points, next: next && encodeCursor([next.ts, next.key, next.n]) }
}

async function steps(deps: ApiDeps, device: DeviceRef, query: HistoryQuery, step: string) {
  const { order, cursor, limit = defaultSteps } = query
  const place = cursor === undefined ? undefined : decodeCursor(cursor, stepPlace)
  const after = place && { ts: place[0], key: place[1] }
  const asked = await stepsAsked(deps, device, query, step)
  const page = await deps.platform.telemetry.aggregates(device, { ...asked, order, limit, after })
  const { next } = page
  return { items: page.items, next: next && encodeCursor([next.ts, next.key]) }
}
