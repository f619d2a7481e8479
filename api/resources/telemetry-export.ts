import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { exportFormats, exportText } from '#platform/telemetry/export.ts'
import type { Place } from '#platform/telemetry/history.ts'
import { route, type Route } from '../route.ts'
import { deviceOf, deviceParams, organisationQuery } from '../scope.ts'
import { keyList, spanOf, time } from './telemetry-query.ts'

const types = { csv: 'text/csv; charset=utf-8', ndjson: 'application/x-ndjson' } as const

export const telemetryExport: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/devices/{device}/telemetry/export',
    access: 'device',
    summary:
      'All values of a range of time as CSV or NDJSON, however many; cut off in the middle, the connection breaks',
    tag: 'telemetry',
    params: deviceParams,
    query: z.strictObject({
      ...organisationQuery,
      format: z.enum(exportFormats).default('csv'),
      from: time.describe('inclusive; milliseconds since 1970 or RFC 3339; default: the beginning'),
      to: time.describe('exclusive; default: no end'),
      keys: keyList.describe('only these, separated by commas; default: all'),
      order: z.enum(['asc', 'desc']).default('asc').describe('asc: oldest first'),
    }),
    status: 200,
    stream: 'text/csv',
    problems: ['organisation_not_found', 'device_not_found'],
    handle: async ({ deps, caller, params: { device }, query, response }) => {
      const ref = await deviceOf(deps, caller, device, query.organisation)
      const { format, keys, order } = query
      const span = spanOf(query, deps.clock.now())
      const text = exportText<Place>(format, (limit, after) =>
        deps.platform.telemetry.history(ref, { ...span, keys, order, limit, after }),
      )
      // The first part is read before anything is answered: a store that is away is a problem, not a broken download.
      const parts = text[Symbol.asyncIterator]()
      const first = [await parts.next(), await parts.next()]
      response.status(200).set({
        'content-type': types[format],
        'content-disposition': `attachment; filename="${ref.id}.${format}"`,
        'cache-control': 'no-store',
      })
      const all = Readable.from(resumed(first, parts), { objectMode: false, highWaterMark: 1 })
      await pipeline(all, response).catch((error: unknown) => {
        // Who goes away needs no answer any more.
        if (!response.destroyed || isStoreFault(error)) throw error
      })
      return undefined
    },
  }),
]

async function* resumed(
  first: readonly IteratorResult<string>[],
  rest: AsyncIterator<string>,
): AsyncGenerator<string> {
  for (const { done, value } of first) {
    if (done === true) return
    yield value
  }
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- as fast as it is read
    const { done, value } = await rest.next()
    if (done === true) return
    yield value
  }
}

function isStoreFault(error: unknown): boolean {
  return error instanceof Error && error.name === 'StoreError'
}
