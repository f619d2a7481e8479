import { once } from 'node:events'
import type { Response } from 'express'
import { stringify } from 'csv-stringify/sync'
import { z } from 'zod'
import { dayMs, platformSpace } from '#platform/audit/audit.ts'
import type { Entry, Place } from '#platform/audit/trail.ts'
import type { Caller } from '../callers.ts'
import type { ApiDeps } from '../deps.ts'
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../paging.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'
import { organisationOf, organisationQuery } from '../scope.ts'

const outcomes = ['begun', 'done', 'denied', 'failed'] as const
const actorKinds = ['platform', 'organisation', 'user', 'key', 'device', 'system', 'anonymous'] as const

const entry = z
  .object({
    id: z.string(),
    at: z.iso.datetime(),
    outcome: z
      .string()
      .describe(
        '`done`, `denied`, `failed`; `begun`: under way, or its process died before it knew the outcome',
      ),
    actor: z.object({ kind: z.string(), id: z.string(), name: z.string() }),
    address: z.string().nullable(),
    operation: z.string().describe('`operationId` of the OpenAPI document, or the name of scheduled work'),
    targets: z.array(z.string()).describe('ids of what was changed'),
    before: z.unknown().describe('as far as the operation tells; secrets are taken out'),
    after: z.unknown(),
    problem: z.string().nullable().describe('error code, where it was not done'),
    request: z.string().nullable().describe('X-Request-Id'),
    dc: z.string().nullable(),
    process: z.string().nullable(),
  })
  .meta({ id: 'AuditEntry' })

const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))
const filters = {
  ...organisationQuery,
  space: z
    .enum(['organisation', 'platform'])
    .default('organisation')
    .describe('platform: what is of no organisation, for administrators of the platform'),
  from: time.optional().describe('inclusive'),
  to: time.optional().describe('exclusive'),
  order: z.enum(['asc', 'desc']).default('desc').describe('desc: newest first'),
  actor: z.string().min(1).max(512).optional().describe('id or name of who did it'),
  actor_kind: z.enum(actorKinds).optional(),
  operation: z.string().min(1).max(200).optional(),
  target: z.string().min(1).max(512).optional().describe('id of what was changed'),
  outcome: z.enum(outcomes).optional(),
  request: z.string().min(1).max(64).optional().describe('X-Request-Id'),
}
type Filters = z.output<z.ZodObject<typeof filters>>

/** Entries that one request looks at: a filter that matches little comes in pages that are not full. */
const maxLooked = 20_000
const place = z.tuple([z.int(), z.string().max(64)])
const tag = 'audit'

export const auditRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/audit',
    access: 'admin',
    operationId: 'listAudit',
    summary: 'Who changed what, or was refused to, in the last 400 days',
    tag,
    query: z.strictObject({ ...pageQuery, ...filters }),
    status: 200,
    answer: pageOf(entry),
    problems: ['organisation_not_found'],
    handle: async ({ deps, caller, query }) => {
      const { limit, cursor } = query
      const org = await spaceOf(deps, caller, query)
      const [at, id] = cursor === undefined ? [] : decodeCursor(cursor, place)
      const after = at === undefined || id === undefined ? undefined : { at, id }
      const items: z.input<typeof entry>[] = []
      let looked = 0
      let last: Place | undefined
      for await (const one of deps.platform.trail.entries(org, { ...spanOf(deps, query), after })) {
        if (items.length === limit || looked === maxLooked) {
          const next = last === undefined ? null : encodeCursor([last.at, last.id])
          return { items, next }
        }
        looked++
        last = one
        if (matches(one, query)) items.push(shown(one))
      }
      return { items, next: null }
    },
  }),
  route({
    method: 'get',
    path: '/v1/audit/export',
    access: 'admin',
    operationId: 'exportAudit',
    summary: 'The same as a file of any length: a JSON object a line, or CSV',
    tag,
    query: z.strictObject({ ...filters, format: z.enum(['ndjson', 'csv']).default('ndjson') }),
    status: 200,
    stream: 'application/x-ndjson',
    problems: ['organisation_not_found'],
    handle: async ({ deps, caller, query, response }) => {
      const org = await spaceOf(deps, caller, query)
      const csv = query.format === 'csv'
      const lines = linesOf(deps, org, query, csv ? asCsv : asJson)
      const first = await lines.next()
      // Up to here a failure is a problem document; later the answer is cut off.
      response.set({
        'content-type': csv ? 'text/csv; charset=utf-8' : 'application/x-ndjson',
        'content-disposition': `attachment; filename="audit.${query.format}"`,
        'cache-control': 'no-store',
      })
      if (csv) response.write(`${columns.join(',')}\n`)
      if (first.done !== true) response.write(first.value)
      await send(lines, response)
      return undefined
    },
  }),
]

async function* linesOf(
  deps: ApiDeps,
  org: string,
  query: Filters,
  write: (one: Entry) => string,
): AsyncGenerator<string> {
  for await (const one of deps.platform.trail.entries(org, spanOf(deps, query)))
    if (matches(one, query)) yield write(one)
}

/** As fast as the client reads; what it has not read is not held in memory. */
async function send(lines: AsyncGenerator<string>, response: Response): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  try {
    for await (const line of lines) {
      if (gone.signal.aborted) return
      if (!response.write(line)) await once(response, 'drain', { signal: gone.signal })
    }
    response.end()
  } catch (error) {
    if (!gone.signal.aborted) throw error
  }
}

async function spaceOf(deps: ApiDeps, caller: Caller | null, query: Filters): Promise<string> {
  if (query.space === 'organisation') return (await organisationOf(deps, caller, query.organisation)).id
  if (caller?.kind === 'platform' || (caller?.kind === 'user' && caller.platform)) return platformSpace
  throw new Problem('forbidden', "the platform's administrator is needed")
}

function spanOf(
  { clock }: ApiDeps,
  { from, to, order }: Filters,
): { from: number; to: number; order: Filters['order'] } {
  return { from: from ?? 0, to: to ?? clock.now() + dayMs, order }
}

function matches(one: Entry, wanted: Filters): boolean {
  const { actor, target } = wanted
  return (
    (actor === undefined || one.actor.id === actor || one.actor.name === actor) &&
    (wanted.actor_kind === undefined || one.actor.kind === wanted.actor_kind) &&
    (wanted.operation === undefined || one.operation === wanted.operation) &&
    (target === undefined || one.targets.includes(target)) &&
    (wanted.outcome === undefined || one.outcome === wanted.outcome) &&
    (wanted.request === undefined || one.request === wanted.request)
  )
}

function shown({ org: _org, ...one }: Entry): z.input<typeof entry> {
  return { ...one, at: new Date(one.at).toISOString(), actor: { ...one.actor }, targets: [...one.targets] }
}

function asJson(one: Entry): string {
  return `${JSON.stringify(shown(one))}\n`
}

const columns = [
  'id',
  'at',
  'outcome',
  'actor_kind',
  'actor_id',
  'actor_name',
  'address',
  'operation',
  'targets',
  'before',
  'after',
  'problem',
  'request',
  'dc',
  'process',
] as const

/** A name that begins like a formula is none for a spreadsheet. */
function asCsv(one: Entry): string {
  const {
    id,
    at,
    outcome,
    actor,
    address,
    operation,
    targets,
    before,
    after,
    problem,
    request,
    dc,
    process,
  } = one
  const cells = [
    id,
    new Date(at).toISOString(),
    outcome,
    actor.kind,
    actor.id,
    actor.name,
    address,
    operation,
    targets.join(' '),
    before === null ? '' : JSON.stringify(before),
    after === null ? '' : JSON.stringify(after),
    problem,
    request,
    dc,
    process,
  ]
  return stringify([cells], { escape_formulas: true })
}
