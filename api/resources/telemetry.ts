import { z } from 'zod'
import { telemetryLimits } from '#platform/telemetry/payload.ts'
import { decodeCursor, encodeCursor, pageOf } from '../paging.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'
import { deviceOf, deviceParams, organisationQuery } from '../scope.ts'

const maxPoints = 10_000
const maxKeys = 100

const point = z
  .object({
    key: z.string(),
    ts: z.int().describe('milliseconds since 1970'),
    value: z.unknown().describe('number, string, boolean, object or array'),
  })
  .meta({ id: 'Point' })

const time = z
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
const keys = z
  .string()
  .min(1)
  .transform((text) => text.split(','))
  .pipe(z.array(z.string().min(1).max(telemetryLimits.keyLength)).max(maxKeys))
  .optional()
const place = z.tuple([z.int(), z.string().max(telemetryLimits.keyLength), z.int().min(0).max(2_147_483_647)])

const params = deviceParams
const problems = ['organisation_not_found', 'device_not_found'] as const
const tag = 'telemetry'

export const telemetry: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/devices/{device}/latest',
    access: 'device',
    summary: 'The newest value of each key',
    tag,
    params,
    query: z.strictObject({ ...organisationQuery, keys: keys.describe('only these, separated by commas') }),
    status: 200,
    answer: z.object({ items: z.array(point) }),
    problems,
    handle: async ({ deps, caller, params: { device }, query }) => {
      const ref = await deviceOf(deps, caller, device, query.organisation)
      return { items: await deps.platform.telemetry.latest(ref, query.keys) }
    },
  }),
  route({
    method: 'get',
    path: '/v1/devices/{device}/telemetry',
    access: 'device',
    summary: 'Values in a range of time, all keys merged in order of time',
    tag,
    params,
    query: z.strictObject({
      ...organisationQuery,
      from: time.describe('inclusive; milliseconds since 1970 or RFC 3339; default: the beginning'),
      to: time.describe('exclusive; default: no end'),
      keys: keys.describe('only these, separated by commas; default: all'),
      limit: z.coerce.number('must be a whole number').int().min(1).max(maxPoints).default(100),
      order: z.enum(['asc', 'desc']).default('desc').describe('desc: newest first'),
      cursor: z
        .string()
        .min(1)
        .max(2048)
        .optional()
        .describe('`next` of the page before; the rest must be the same'),
    }),
    status: 200,
    answer: pageOf(point),
    problems,
    handle: async ({ deps, caller, params: { device }, query }) => {
      const ref = await deviceOf(deps, caller, device, query.organisation)
      const { limit, order, cursor } = query
      const from = query.from ?? 0
      const to = query.to ?? deps.clock.now() + telemetryLimits.ahead + 1
      if (from >= to && query.to !== undefined) {
        const message = `must be after from (${new Date(from).toISOString()})`
        throw new Problem('invalid_request', `query.to: ${message}`, {
          errors: [{ field: 'query.to', message }],
        })
      }
      let after
      if (cursor !== undefined) {
        const [ts, key, n] = decodeCursor(cursor, place)
        after = { ts, key, n }
      }
      const page = await deps.platform.telemetry.history(ref, {
        from,
        to,
        keys: query.keys,
        limit,
        order,
        after,
      })
      const { next } = page
      return { items: page.points, next: next && encodeCursor([next.ts, next.key, next.n]) }
    },
  }),
]
