import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { Request } from 'express'
import { z } from 'zod'
import type { DeviceRef } from '#platform/auth/principal.ts'
import { ImportError, type ImportRow, readImport } from '#platform/telemetry/import.ts'
import { PayloadError } from '#platform/telemetry/payload.ts'
import type { ApiDeps } from '../deps.ts'
import { durable, gateLoad } from '../durable.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'
import { deviceOf, deviceParams, organisationOf, organisationQuery } from '../scope.ts'

const csv = 'text/csv'
const ndjson = 'application/x-ndjson'
/** Rows whose errors are told one by one; the rest is counted. */
const maxErrors = 100
/** Rows that may wait for the disk before no more are read. */
const maxWaiting = 20_000
/** Devices that an import knows at a time. */
const maxDevices = 10_000

const report = z
  .object({
    rows: z.int().describe('read'),
    values: z.int().describe('stored; a value that is there already counts as well'),
    refused: z.int().describe('rows of which nothing was stored'),
    errors: z
      .array(z.object({ row: z.int().describe('1: the first one with values'), error: z.string() }))
      .describe(`of the first ${maxErrors} refused rows`),
  })
  .meta({ id: 'TelemetryImport' })

const query = z.strictObject({
  ...organisationQuery,
  dry_run: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true')
    .describe('only checks the rows'),
})
const problems = [
  'organisation_not_found',
  'unsupported_media_type',
  'overloaded',
  'outcome_unknown',
] as const
const how = 'Rows that are refused are told; the same values may be sent again, and count once'

export const telemetryImport: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/devices/{device}/telemetry/import',
    access: 'developer',
    summary: `Store values with times of their own from CSV or NDJSON of any length. ${how}`,
    tag: 'telemetry',
    params: deviceParams,
    query,
    upload: [csv, ndjson],
    status: 200,
    answer: report,
    problems: ['device_not_found', ...problems],
    handle: async ({ deps, caller, params, query: { organisation, dry_run: dryRun }, request }) => {
      const ref = await deviceOf(deps, caller, params.device, organisation)
      const isItself = (name: string | null) => name === null || name === ref.id || name === ref.name
      return take(deps, ref.org, request, dryRun, (name) => Promise.resolve(isItself(name) ? ref : null))
    },
  }),
  route({
    method: 'post',
    path: '/v1/telemetry/import',
    access: 'developer',
    byGroup: true,
    summary: `The same for many devices: each row names its own in the column or field device. ${how}`,
    tag: 'telemetry',
    query,
    upload: [csv, ndjson],
    status: 200,
    answer: report,
    problems,
    handle: async ({ deps, caller, query: { organisation, dry_run: dryRun }, request }) => {
      const known = new Map<string, DeviceRef | null>()
      const owner = await organisationOf(deps, caller, organisation)
      return take(deps, owner.id, request, dryRun, async (name) => {
        if (name === null || name === 'me') return null
        let ref = known.get(name)
        if (ref === undefined) {
          if (known.size >= maxDevices) known.clear()
          ref = await deviceOf(deps, caller, name, organisation).catch(notFound)
          known.set(name, ref)
        }
        return ref
      })
    },
  }),
]

type Find = (name: string | null) => Promise<DeviceRef | null>

/** Stores row after row; as many as the disk takes are read, so nothing piles up. */
async function take(
  deps: ApiDeps,
  org: string,
  request: Request,
  dryRun: boolean,
  find: Find,
): Promise<z.input<typeof report>> {
  const format = formatOf(request)
  const commit = deps.platform.lanes.of(org)
  gateLoad(deps, org)
  const done: z.input<typeof report> = { rows: 0, values: 0, refused: 0, errors: [] }
  try {
    for await (const row of readImport(bodyOf(request), format, deps.clock.now())) {
      done.rows++
      const error = await store(deps, row, find, dryRun)
      if (typeof error === 'number') done.values += error
      else {
        done.refused++
        if (done.errors.length < maxErrors) done.errors.push({ row: done.rows, error })
      }
      if (commit.staged > maxWaiting) await durable(deps, org)
    }
  } catch (error) {
    await durable(deps, org)
    if (!(error instanceof ImportError)) throw error
    const rest = dryRun ? '' : `; ${done.values} values before it are stored`
    throw new Problem('invalid_request', `body, after row ${done.rows}: ${error.message}${rest}`, {
      errors: [{ field: `body[${done.rows}]`, message: error.message }],
      cause: error,
    })
  }
  await durable(deps, org)
  return done
}

/** How many values were staged, or why none. */
async function store(
  { platform, clock }: ApiDeps,
  row: ImportRow,
  find: Find,
  dryRun: boolean,
): Promise<number | string> {
  if ('error' in row) return row.error
  const device = await find(row.device)
  if (device === null) return row.device === null ? 'device: is missing' : 'device: there is no such device'
  if (dryRun) return row.points.length
  try {
    platform.telemetry.takePast(device, row.points, clock.now())
    return row.points.length
  } catch (error) {
    if (!(error instanceof PayloadError)) throw error
    if (error.reason !== 'quota_exhausted') return error.message
    throw new Problem('quota_exceeded', error.message, { cause: error })
  }
}

function formatOf(request: Request): 'csv' | 'ndjson' {
  if (request.is(csv) !== false) return 'csv'
  if (request.is([ndjson, 'application/jsonl', 'application/ndjson']) !== false) return 'ndjson'
  throw new Problem('unsupported_media_type', `send the rows with "Content-Type: ${csv}" or "${ndjson}"`)
}

function bodyOf(request: Request): Readable {
  const encoding = request.get('content-encoding') ?? 'identity'
  if (encoding === 'identity') return request
  if (encoding !== 'gzip')
    throw new Problem('unsupported_media_type', 'send the body with Content-Encoding gzip or none')
  return Readable.from(unzipped(request))
}

async function* unzipped(request: Request): AsyncGenerator<Buffer> {
  const plain = request.pipe(createGunzip())
  request.on('error', (error) => plain.destroy(error))
  try {
    for await (const chunk of plain) yield Buffer.from(chunk as Uint8Array)
  } catch (error) {
    throw new ImportError('is not gzip', { cause: error })
  }
}

function notFound(error: unknown): null {
  if (error instanceof Problem && error.code === 'device_not_found') return null
  if (error instanceof Error && 'code' in error && error.code === 'device_not_found') return null
  throw error
}
