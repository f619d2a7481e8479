import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { isOver, type Task, taskStates } from '#platform/tasks/task.ts'
import type { ApiDeps } from '../deps.ts'
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../paging.ts'
import { route, type Route } from '../route.ts'
import { organisationOf, organisationQuery } from '../scope.ts'

export const task = z
  .object({
    id: z.string(),
    kind: z.string().describe('`import`, `update_devices`, `delete_devices`, `erase_telemetry`'),
    state: z.enum(taskStates),
    actor: z.string().describe('who asked for it'),
    created_at: z.iso.datetime(),
    started_at: z.iso.datetime().nullable(),
    finished_at: z.iso.datetime().nullable(),
    total: z.int().describe('items'),
    succeeded: z.int(),
    failed: z.int(),
    skipped: z.int().describe('there was nothing to do for them'),
    progress: z.number().describe('0 to 1'),
    error: z.string().nullable().describe('why it failed'),
    result: z.string().describe('path of what became of each item, NDJSON'),
  })
  .meta({ id: 'Task' })
const params = z.strictObject({ task: z.uuid() })
const query = z.strictObject(organisationQuery)
const tag = 'tasks'

export const tasks: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/tasks',
    access: 'viewer',
    summary: 'List tasks of the last 30 days, the newest first',
    tag,
    query: z.strictObject({ ...pageQuery, ...organisationQuery }),
    status: 200,
    fields: true,
    answer: pageOf(task),
    problems: ['organisation_not_found'],
    handle: async ({ deps, caller, query: { organisation, limit, cursor } }) => {
      const owner = await organisationOf(deps, caller, organisation)
      const before = cursor === undefined ? undefined : decodeCursor(cursor, z.uuid())
      const page = await deps.platform.tasks.list(owner.id, { limit, before })
      return { items: page.tasks.map(shownTask), next: page.next === null ? null : encodeCursor(page.next) }
    },
  }),
  route({
    method: 'get',
    path: '/v1/tasks/{task}',
    access: 'viewer',
    summary: 'Read a task: how far it is',
    tag,
    params,
    query,
    status: 200,
    fields: true,
    answer: task,
    problems: ['organisation_not_found', 'task_not_found'],
    handle: async ({ deps, caller, params: { task: id }, query: { organisation } }) => {
      const owner = await organisationOf(deps, caller, organisation)
      return shownTask(await deps.platform.tasks.get(owner.id, id))
    },
  }),
  route({
    method: 'get',
    path: '/v1/tasks/{task}/result',
    access: 'developer',
    summary:
      'What became of each item, one JSON object a line; keys are in it until it has been read to its end once after the task has ended',
    tag,
    params,
    query,
    status: 200,
    stream: 'application/x-ndjson',
    problems: ['organisation_not_found', 'task_not_found'],
    handle: async ({ deps, caller, params: { task: id }, query: { organisation }, response }) => {
      const owner = await organisationOf(deps, caller, organisation)
      const one = await deps.platform.tasks.get(owner.id, id)
      const secret = await deps.platform.tasks.secret(one)
      response.type('application/x-ndjson')
      response.attachment(`${one.kind}-${one.id}.ndjson`)
      await pipeline(lines(deps, one, secret), response)
      if (secret !== null && isOver(one)) await deps.platform.tasks.forgetSecret(one)
      return undefined
    },
  }),
  route({
    method: 'post',
    path: '/v1/tasks/{task}/cancel',
    access: 'developer',
    summary: 'Ask a task to end; what it has done stays',
    tag,
    params,
    query,
    status: 202,
    answer: task,
    problems: ['organisation_not_found', 'task_not_found', 'task_finished'],
    handle: async ({ deps, caller, params: { task: id }, query: { organisation } }) => {
      const owner = await organisationOf(deps, caller, organisation)
      return shownTask(await deps.platform.tasks.cancel(owner.id, id))
    },
  }),
]

export function shownTask(one: Task): z.input<typeof task> {
  const { total, succeeded, failed, skipped } = one.counts
  const done = succeeded + failed + skipped
  return {
    id: one.id,
    kind: one.kind,
    state: one.state,
    actor: one.actor,
    created_at: new Date(one.createdAt).toISOString(),
    started_at: timeOf(one.startedAt),
    finished_at: timeOf(one.finishedAt),
    total,
    succeeded,
    failed,
    skipped,
    progress: total === 0 ? (isOver(one) ? 1 : 0) : done / total,
    error: one.error,
    result: `/v1/tasks/${one.id}/result`,
  }
}

function timeOf(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString()
}

async function* lines(deps: ApiDeps, one: Task, secret: Uint8Array | null): AsyncGenerator<string> {
  const kind = deps.platform.taskRunner.kind(one.kind)
  for await (const results of deps.platform.tasks.results(one)) {
    let text = ''
    for (const { counts: _, ...result } of results) {
      const item = Number(result.item)
      const shown =
        secret === null || kind?.reveal === undefined
          ? result
          : kind.reveal({ counts: 'succeeded', ...result }, item, secret)
      const { counts: __, generated: ___, ...rest } = shown as Record<string, unknown>
      text += `${JSON.stringify(rest)}\n`
    }
    yield text
  }
}
