import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { Request } from 'express'
import { z } from 'zod'
import { readRows } from '#platform/registry/import-rows.ts'
import { maxItems, partItems, type Tasks } from '#platform/tasks/tasks.ts'
import type { Task } from '#platform/tasks/task.ts'
import { bulkChange } from '#platform/registry/bulk.ts'
import type { Caller } from '../callers.ts'
import type { ApiDeps } from '../deps.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'
import { organisationOf, organisationQuery } from '../scope.ts'
import { filterOf, filterQuery } from './device-shape.ts'
import { shownTask, task } from './tasks.ts'

/** 100,000 rows of some 600 bytes. */
const maxBytes = 67_108_864
const csv = 'text/csv'
const ndjson = 'application/x-ndjson'
const dryRun = z
  .enum(['true', 'false'])
  .default('false')
  .transform((text) => text === 'true')
  .describe('says for each what would be done, and does nothing')
const all = z
  .enum(['true', 'false'])
  .optional()
  .describe('`true`: all devices are meant; needed when there is no filter')
const tag = 'devices'

export const imports: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/imports',
    access: 'developer',
    summary:
      'Create or change many devices from CSV or NDJSON; the task has a result for each row, keys included',
    tag: 'imports',
    query: z.strictObject({
      ...organisationQuery,
      mode: z
        .enum(['create', 'upsert'])
        .default('create')
        .describe('whether a device that is there is an error, or is changed as the row says'),
      keys: z
        .enum(['generate', 'none'])
        .default('generate')
        .describe('whether devices that bring no key get one; with certificates they need none'),
      dry_run: dryRun,
    }),
    upload: [csv, ndjson],
    status: 202,
    answer: task,
    problems: ['organisation_not_found', 'unsupported_media_type', 'body_too_large', 'invalid_field'],
    handle: async ({ deps, caller, query, request, response }) => {
      const format = formatOf(request)
      const owner = await organisationOf(deps, caller, query.organisation)
      const { tasks } = deps.platform
      const spec = { mode: query.mode, keys: query.keys, dryRun: query.dry_run }
      const secret = query.keys === 'generate' && !query.dry_run
      const made = await tasks.create(owner.id, { kind: 'import', spec, actor: actorOf(caller), secret })
      const rows = readRows(Readable.from(bounded(request)), format)
      const filled = await fill(tasks, made, rows)
      deps.platform.taskRunner.add(filled)
      response.location(`/v1/tasks/${filled.id}`)
      return shownTask(filled)
    },
  }),
  route({
    method: 'patch',
    path: '/v1/devices',
    access: 'developer',
    summary: 'Change all devices that a filter finds now, as a task',
    tag,
    query: z.strictObject({ ...organisationQuery, ...filterQuery, all, dry_run: dryRun }),
    body: bulkChange,
    status: 202,
    answer: task,
    problems: ['invalid_field', 'organisation_not_found', 'group_not_found'],
    handle: async ({ deps, caller, query: { organisation, dry_run, ...filter }, body, response }) => {
      const { id: org } = await organisationOf(deps, caller, organisation)
      await deps.platform.registry.groups.check(org, body.add_groups ?? [])
      const made = await bulk(deps, caller, org, filter, 'update_devices', { dryRun: dry_run, change: body })
      response.location(`/v1/tasks/${made.id}`)
      return shownTask(made)
    },
  }),
  route({
    method: 'delete',
    path: '/v1/devices',
    access: 'developer',
    summary: 'Delete all devices that a filter finds now, with their data, as a task',
    tag,
    query: z.strictObject({ ...organisationQuery, ...filterQuery, all, dry_run: dryRun }),
    status: 202,
    answer: task,
    problems: ['invalid_field', 'organisation_not_found', 'group_not_found'],
    handle: async ({ deps, caller, query: { organisation, dry_run, ...filter }, response }) => {
      const { id: org } = await organisationOf(deps, caller, organisation)
      const made = await bulk(deps, caller, org, filter, 'delete_devices', { dryRun: dry_run })
      response.location(`/v1/tasks/${made.id}`)
      return shownTask(made)
    },
  }),
]

/** Who asks, in words. */
export function actorOf(caller: Caller | null): string {
  switch (caller?.kind) {
    case 'user':
      return caller.user.email
    case 'key':
      return `API key ${caller.key.name}`
    case 'platform':
      return 'platform'
    default:
      return "the organisation's token"
  }
}

function formatOf(request: Request): 'csv' | 'ndjson' {
  if (request.is(csv) !== false) return 'csv'
  if (request.is(ndjson) !== false || request.is('application/jsonl') !== false) return 'ndjson'
  throw new Problem('unsupported_media_type', `send the rows with "Content-Type: ${csv}" or "${ndjson}"`)
}

async function* bounded(request: Request): AsyncGenerator<Buffer> {
  let bytes = 0
  for await (const chunk of unzipped(request)) {
    const buffer = Buffer.from(chunk as Uint8Array)
    bytes += buffer.length
    if (bytes > maxBytes)
      throw new Problem('body_too_large', `an import may have ${maxBytes} bytes; send it in several`)
    yield buffer
  }
}

/** The body as it was before `Content-Encoding: gzip`. */
async function* unzipped(request: Request): AsyncGenerator {
  const encoding = request.get('content-encoding') ?? 'identity'
  if (encoding === 'identity') {
    yield* request
    return
  }
  if (encoding !== 'gzip')
    throw new Problem('unsupported_media_type', 'send the body with Content-Encoding gzip or none')
  const plain = request.pipe(createGunzip())
  request.on('error', (error) => plain.destroy(error))
  try {
    for await (const chunk of plain) yield chunk
  } catch (error) {
    throw new Problem('invalid_request', 'body: is not gzip', { cause: error })
  }
}

/** Stores the items as they come. What is cut off fails. */
export async function fill(tasks: Tasks, made: Task, items: AsyncIterable<unknown>): Promise<Task> {
  let lot: unknown[] = []
  let parts = 0
  let total = 0
  const store = async (): Promise<void> => {
    if (lot.length === 0) return
    await tasks.addInput(made, parts++, lot)
    lot = []
    if (parts % 100 === 0) await tasks.save(made, {})
  }
  try {
    for await (const item of items) {
      lot.push(item)
      if (++total > maxItems) throw new Problem('body_too_large', `a task may have ${maxItems} items`)
      if (lot.length === partItems) await store()
    }
    await store()
  } catch (error) {
    const words = error instanceof Error ? error.message : 'its input was cut off'
    await tasks.save(made, { state: 'failed', error: words }).catch(() => undefined)
    throw error
  }
  return tasks.save(made, {
    state: 'queued',
    parts,
    counts: { total, succeeded: 0, failed: 0, skipped: 0 },
  })
}

async function bulk(
  deps: ApiDeps,
  caller: Caller | null,
  org: string,
  { all: everything, ...filter }: Parameters<typeof filterOf>[3] & { all?: string | undefined },
  kind: string,
  spec: object,
): Promise<Task> {
  if (Object.values(filter).every((value) => value === undefined) && everything !== 'true') {
    throw new Problem('invalid_request', 'query: give a filter, or all=true if all devices are meant', {
      errors: [{ field: 'query.all', message: 'must be true where there is no filter' }],
    })
  }
  const { tasks, deviceIndex, taskRunner } = deps.platform
  const wanted = await filterOf(deps, caller, org, filter)
  const made = await tasks.create(org, { kind, spec, actor: actorOf(caller), secret: false })
  async function* found(): AsyncGenerator {
    for await (const lot of deviceIndex.all(org, wanted, 1000))
      for (const { id, name } of lot) yield { id, name }
  }
  const filled = await fill(tasks, made, found())
  taskRunner.add(filled)
  return filled
}
