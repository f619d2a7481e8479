import { z } from 'zod'
import {
  isOverdue,
  runStates,
  type Schedule,
  scheduleJobs,
  type ScheduleRun,
  upcoming,
} from '#platform/schedules/schedule.ts'
import type { ApiDeps } from '../deps.ts'
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../paging.ts'
import { actorOf } from '../actor.ts'
import { route, type Route } from '../route.ts'

const dayMs = 86_400_000
/** Runs looked through for the last that succeeded. */
const maxLooked = 50
const scheduleName = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'must be 1 to 32 of a-z, 0-9 and -')

const run = z
  .object({
    schedule: z.string(),
    due: z.iso.datetime(),
    state: z.enum(runStates),
    runner: z.string(),
    token: z.int(),
    started_at: z.iso.datetime(),
    ended_at: z.iso.datetime().nullable(),
    note: z.string().nullable().describe('what came of it, or why it failed'),
  })
  .meta({ id: 'ScheduleRun' })
const fields = {
  job: z
    .enum(scheduleJobs)
    .describe('`drill`: the newest backup is restored elsewhere, and compared with what was saved'),
  cron: z.string().max(100).describe('minute, hour, day of the month, month, day of the week: `30 3 * * *`'),
  timezone: z.string().max(64).default('UTC').describe('as `Europe/Berlin`'),
  on: z.string().max(500).default('').describe('hosts: `dc01 & role=app`; empty: all that the job is for'),
  jitter: z
    .int()
    .min(0)
    .max(86_400)
    .default(0)
    .describe('seconds within which it begins, other ones each time'),
  missed: z
    .enum(['run', 'skip'])
    .default('run')
    .describe('what becomes of a time at which nobody could begin it: made up for once, or left out'),
  enabled: z.boolean().default(true),
  overdue_after: z.int().min(1).max(8784).describe('hours without success after which it is overdue'),
}
const schedule = z
  .object({
    name: z.string(),
    ...z.object(fields).shape,
    owner: z.string().describe('who changed it last'),
    changed_at: z.iso.datetime(),
    next: z.array(z.iso.datetime()).describe('the next three times'),
    last: run.nullable().describe('the newest run'),
    last_success: z.iso.datetime().nullable(),
    overdue: z.boolean(),
  })
  .meta({ id: 'Schedule', description: 'something that is done to the fleet by itself' })
const planned = z
  .object({ schedule: z.string(), job: z.enum(scheduleJobs), due: z.iso.datetime() })
  .meta({ id: 'PlannedRun' })

const params = z.strictObject({ schedule: scheduleName })
const runParams = z.strictObject({
  schedule: scheduleName,
  due: z.iso.datetime().describe('when it was due'),
})
const tag = 'schedules'
const access = 'platform'

export const schedules: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/schedules',
    access,
    summary: 'List what is done to the fleet by itself, and how it went, all at once',
    tag,
    status: 200,
    fields: true,
    answer: pageOf(schedule),
    handle: async ({ deps }) => {
      const all = await deps.platform.schedules.list()
      return { items: await Promise.all(all.map((one) => shown(deps, one))), next: null }
    },
  }),
  route({
    method: 'get',
    path: '/v1/schedules/{schedule}',
    access,
    summary: 'Read a schedule, and how it went last',
    tag,
    params,
    status: 200,
    fields: true,
    answer: schedule,
    problems: ['schedule_not_found'],
    handle: async ({ deps, params: { schedule: name } }) =>
      shown(deps, await deps.platform.schedules.find(name)),
  }),
  route({
    method: 'put',
    path: '/v1/schedules/{schedule}',
    access,
    summary: 'Make or change a schedule; times before the change are not its',
    tag,
    params,
    body: z.strictObject(fields),
    status: 200,
    answer: schedule,
    problems: ['invalid_field', 'limit_reached'],
    handle: async ({ deps, caller, params: { schedule: name }, body }) => {
      const { overdue_after: overdueAfter, ...rest } = body
      const input = { ...rest, name, overdueAfter, owner: actorOf(caller) }
      return shown(deps, await deps.platform.schedules.put(input))
    },
  }),
  route({
    method: 'delete',
    path: '/v1/schedules/{schedule}',
    access,
    summary: 'Delete a schedule; what it did stays known',
    tag,
    params,
    status: 204,
    problems: ['schedule_not_found'],
    handle: async ({ deps, params: { schedule: name }, audit }) => {
      audit({ before: await deps.platform.schedules.delete(name) })
      return undefined
    },
  }),
  route({
    method: 'get',
    path: '/v1/schedules/{schedule}/runs',
    access,
    summary: 'List what a schedule did, the newest first; 400 days',
    tag,
    params,
    query: z.strictObject(pageQuery),
    status: 200,
    fields: true,
    answer: pageOf(run),
    handle: async ({ deps, params: { schedule: name }, query: { limit, cursor } }) => {
      const before = cursor === undefined ? undefined : decodeCursor(cursor, z.number())
      const runs = await deps.platform.schedules.runs(name, limit + 1, before)
      const page = runs.slice(0, limit)
      const more = runs.length > limit
      return { items: page.map(shownRun), next: more ? encodeCursor(page[page.length - 1].due) : null }
    },
  }),
  route({
    method: 'get',
    path: '/v1/calendar',
    access,
    operationId: 'getCalendar',
    summary: 'What is to be done to the fleet in the next days, in order',
    tag,
    query: z.strictObject({ days: z.coerce.number().int().min(1).max(60).default(14) }),
    status: 200,
    answer: pageOf(planned),
    handle: async ({ deps, query: { days } }) => {
      const now = deps.clock.now()
      const all = await deps.platform.schedules.list()
      const items = all
        .flatMap((one) =>
          upcoming(one, now, now + days * dayMs, 1000).map((due) => ({
            schedule: one.name,
            job: one.job,
            due,
          })),
        )
        .toSorted((a, b) => a.due - b.due)
        .slice(0, 1000)
      return { items: items.map((one) => ({ ...one, due: new Date(one.due).toISOString() })), next: null }
    },
  }),
  route({
    method: 'post',
    path: '/v1/schedules/{schedule}/runs/{due}/claim',
    operationId: 'claimScheduleRun',
    access,
    summary:
      'Begin one time of a schedule; one runner in all datacenters does, until it is not heard of for two minutes',
    tag,
    params: runParams,
    body: z.strictObject({ runner: z.string().min(1).max(200) }),
    status: 200,
    answer: run,
    problems: ['schedule_not_found', 'conflict'],
    handle: async ({ deps, params: { schedule: name, due }, body: { runner } }) =>
      shownRun(await deps.platform.schedules.claim(name, Date.parse(due), runner)),
  }),
  route({
    method: 'post',
    path: '/v1/schedules/{schedule}/runs/{due}/report',
    operationId: 'reportScheduleRun',
    access,
    summary: 'Tell that its runner is alive, or how it ended',
    tag,
    params: runParams,
    body: z.strictObject({
      token: z.int().min(1).describe('which the claim gave'),
      state: z.enum(runStates),
      note: z.string().max(500).optional(),
    }),
    status: 200,
    answer: run,
    unrecorded: true,
    problems: ['schedule_not_found', 'conflict'],
    handle: async ({ deps, params: { schedule: name, due }, body: { token, ...told } }) =>
      shownRun(await deps.platform.schedules.report(name, Date.parse(due), token, told)),
  }),
]

async function shown({ platform, clock }: ApiDeps, one: Schedule): Promise<z.input<typeof schedule>> {
  const runs = await platform.schedules.runs(one.name, maxLooked)
  const success = runs.find(({ state }) => state === 'done')
  const now = clock.now()
  const { overdueAfter, changedAt, ...rest } = one
  return {
    ...rest,
    overdue_after: overdueAfter,
    changed_at: new Date(changedAt).toISOString(),
    next: upcoming(one, now, now + 62 * dayMs, 3).map((due) => new Date(due).toISOString()),
    last: runs.length === 0 ? null : shownRun(runs[0]),
    last_success: success === undefined ? null : new Date(success.due).toISOString(),
    overdue: isOverdue(one, success?.due, now),
  }
}

function shownRun(one: ScheduleRun): z.input<typeof run> {
  const { schedule: name, due, state, runner, token, startedAt, endedAt, note } = one
  return {
    schedule: name,
    due: new Date(due).toISOString(),
    state,
    runner,
    token,
    started_at: new Date(startedAt).toISOString(),
    ended_at: endedAt === null ? null : new Date(endedAt).toISOString(),
    note,
  }
}
