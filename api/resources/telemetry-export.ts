import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import type { DeviceRef } from '#platform/auth/principal.ts'
import { type ExportFormat, exportFormats, exportSteps, exportText } from '#platform/telemetry/export.ts'
import type { Place } from '#platform/telemetry/history.ts'
import type { ApiDeps } from '../deps.ts'
import { route, type Route } from '../route.ts'
import { deviceOf, deviceParams, organisationQuery } from '../scope.ts'
import { keyList, spanOf, time } from './telemetry-query.ts'
import { gateNoSteps, stepQuery, stepsAsked } from './telemetry-steps.ts'

const types = { csv: 'text/csv; charset=utf-8', ndjson: 'application/x-ndjson' } as const

export const telemetryExport: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/devices/{device}/telemetry/export',
    access: 'device',
    summary:
      'All values of a range of time, or aggregates of all its steps, as CSV or NDJSON; cut off, the connection breaks',
    tag: 'telemetry',
    params: deviceParams,
    query: z.strictObject({
      ...organisationQuery,
      format: z.enum(exportFormats).default('csv'),
      from: time.describe('inclusive; milliseconds since 1970 or RFC 3339; default: the beginning'),
      to: time.describe('exclusive; default: no end'),
      keys: keyList.describe('only these, separated by commas; default: all'),
      ...stepQuery,
      order: z.enum(['asc', 'desc']).default('asc').describe('asc: oldest first'),
    }),
    status: 200,
    stream: 'text/csv',
    problems: ['organisation_not_found', 'device_not_found'],
    handle: async ({ deps, caller, params: { device }, query, response }) => {
      const ref = await deviceOf(deps, caller, device, query.organisation)
      const { format } = query
      const text =
        query.step === undefined ? values(deps, ref, query) : await steps(deps, ref, query, query.step)
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

type ExportQuery = Parameters<typeof stepsAsked>[2] & {
  readonly format: ExportFormat
  readonly order: 'asc' | 'desc'
}

function values(deps: ApiDeps, device: DeviceRef, query: ExportQuery): AsyncGenerator<string> {
  gateNoSteps(query)
  const { format, keys, order } = query
  const span = spanOf(query, deps.clock.now())
  return exportText<Place>(format, (limit, after) =>
    deps.platform.telemetry.history(device, { ...span, keys, order, limit, after }),
  )
}

async function steps(deps: ApiDeps, device: DeviceRef, query: ExportQuery, step: string) {
  const asked = await stepsAsked(deps, device, query, step)
  const { format, order } = query
  return exportSteps(format, asked.wanted, (limit, after) =>
    deps.platform.telemetry.aggregates(device, { ...asked, order, limit, after }),
  )
}

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
