import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Plan, PlanKind } from '#platform/maintenance/plan.ts'
import type { Caller } from '../callers.ts'
import { pageOf } from '../paging.ts'
import { route, type Route } from '../route.ts'

const maxNames = 100
/** Checkers show what was for as long. */
const shownMs = 90 * 86_400_000

const names = (what: string): z.ZodArray<z.ZodString> =>
  z
    .array(
      z
        .string()
        .regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, 'must be 1 to 64 of A-Z, a-z, 0-9 and -, a letter first'),
    )
    .max(maxNames)
    .describe(what)
const subjects = names('names of datacenters and hosts; empty: all')
const time = z.iso.datetime({ offset: true })
const times = {
  starts_at: time.describe('default: now'),
  ends_at: time.describe('at most 30 days after its start'),
}
const owner = z.string().min(1).max(200).describe('who answers for it; default: who asks')
const params = z.strictObject({ id: z.string().min(1).max(64) })
const shownTimes = {
  starts_at: z.iso.datetime(),
  ends_at: z.iso.datetime(),
  owner: z.string(),
  created_at: z.iso.datetime(),
}

const windowFields = {
  title: z.string().min(1).max(200).describe('what customers read'),
  description: z.string().max(2000).describe('more of it'),
  subjects,
}
const window = z.object({ id: z.string(), ...windowFields, ...shownTimes }).meta({
  id: 'Maintenance',
  description: 'planned maintenance, shown on the status page; its alerts are silent',
})

const silenceFields = {
  reason: z.string().min(1).max(200),
  subjects,
  alerts: names('names of alerts; empty: all'),
}
const silence = z
  .object({ id: z.string(), ...silenceFields, ...shownTimes })
  .meta({ id: 'Silence', description: 'alerts that are known, and not sent' })

const checkerPlan = z
  .object({
    id: z.string(),
    kind: z.enum(['maintenance', 'silence']),
    title: z.string(),
    description: z.string(),
    subjects,
    alerts: silenceFields.alerts,
    starts_at: z.iso.datetime(),
    ends_at: z.iso.datetime(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'CheckerPlan', description: 'a maintenance window or silence, without who made it' })

/** What checkers read. */
export const checkerPlans: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/checkers/plans',
    access: 'viewer',
    operationId: 'listCheckerPlans',
    summary:
      'What checkers read: maintenance windows and silences that have not ended for 90 days, all at once',
    tag: 'maintenance',
    versioned: 'optional',
    status: 200,
    answer: pageOf(checkerPlan),
    handle: async ({ deps, version }) => {
      const { plans } = deps.platform
      const all = [...(await plans.list('maintenance')), ...(await plans.list('silence'))]
      const items = all.filter(({ endsAt }) => endsAt > deps.clock.now() - shownMs).map(readable)
      version(createHash('sha256').update(JSON.stringify(items)).digest('base64url').slice(0, 22))
      return { items, next: null }
    },
  }),
]

/** Planned maintenance windows. */
export const maintenance: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/maintenance',
    access: 'platform',
    summary: 'Plan a maintenance window, from now on or later',
    tag: 'maintenance',
    body: z.strictObject({
      title: windowFields.title,
      description: windowFields.description.optional(),
      subjects: subjects.optional(),
      starts_at: times.starts_at.optional(),
      ends_at: times.ends_at,
      owner: owner.optional(),
    }),
    status: 201,
    answer: window,
    problems: ['limit_reached', 'outcome_unknown'],
    handle: async ({ deps, caller, body, response }) => {
      const input = { ...body, startsAt: at(body.starts_at), endsAt: Date.parse(body.ends_at) }
      const made = await deps.platform.plans.create('maintenance', body.owner ?? nameOf(caller), input)
      response.location(`/v1/maintenance/${made.id}`)
      return shownWindow(made)
    },
  }),
  list(
    'maintenance',
    '/v1/maintenance',
    'List maintenance windows, the newest first, all at once',
    window,
    shownWindow,
  ),
  read('maintenance', '/v1/maintenance/{id}', 'Read a maintenance window', window, shownWindow),
  route({
    method: 'patch',
    path: '/v1/maintenance/{id}',
    access: 'platform',
    summary: 'Change a maintenance window',
    tag: 'maintenance',
    params,
    body: z.strictObject({ ...windowFields, ...times }).partial(),
    status: 200,
    versioned: 'optional',
    answer: window,
    problems: ['plan_not_found', 'conflict', 'outcome_unknown'],
    handle: async ({ deps, params: { id }, body, ...call }) => {
      const before = await deps.platform.plans.get('maintenance', id)
      call.precondition.check(before.version)
      const expected = call.precondition.given ? before.version : undefined
      const change = { ...body, startsAt: at(body.starts_at), endsAt: at(body.ends_at) }
      const changed = await deps.platform.plans.update('maintenance', id, change, expected)
      call.audit({ before: shownWindow(before), after: shownWindow(changed) })
      call.version(changed.version)
      return shownWindow(changed)
    },
  }),
  ending(
    'maintenance',
    '/v1/maintenance/{id}',
    'End a maintenance window now, or take it back if it has not begun',
  ),
]

/** Alerts that nobody wants to hear of for a while. */
export const silences: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/silences',
    access: 'platform',
    summary: 'Silence alerts, from now on or later',
    tag: 'silences',
    body: z.strictObject({
      reason: silenceFields.reason,
      subjects: subjects.optional(),
      alerts: silenceFields.alerts.optional(),
      starts_at: times.starts_at.optional(),
      ends_at: times.ends_at,
      owner: owner.optional(),
    }),
    status: 201,
    answer: silence,
    problems: ['limit_reached', 'outcome_unknown'],
    handle: async ({ deps, caller, body, response }) => {
      const { reason: title, starts_at: start, ends_at: end } = body
      const input = { ...body, title, startsAt: at(start), endsAt: Date.parse(end) }
      const made = await deps.platform.plans.create('silence', body.owner ?? nameOf(caller), input)
      response.location(`/v1/silences/${made.id}`)
      return shownSilence(made)
    },
  }),
  list('silence', '/v1/silences', 'List silences, the newest first, all at once', silence, shownSilence),
  read('silence', '/v1/silences/{id}', 'Read a silence', silence, shownSilence),
  route({
    method: 'patch',
    path: '/v1/silences/{id}',
    access: 'platform',
    summary: 'Change a silence',
    tag: 'silences',
    params,
    body: z.strictObject({ ...silenceFields, ...times }).partial(),
    status: 200,
    versioned: 'optional',
    answer: silence,
    problems: ['plan_not_found', 'conflict', 'outcome_unknown'],
    handle: async ({ deps, params: { id }, body, ...call }) => {
      const before = await deps.platform.plans.get('silence', id)
      call.precondition.check(before.version)
      const expected = call.precondition.given ? before.version : undefined
      const { reason: title, starts_at: start, ends_at: end } = body
      const change = { ...body, title, startsAt: at(start), endsAt: at(end) }
      const changed = await deps.platform.plans.update('silence', id, change, expected)
      call.audit({ before: shownSilence(before), after: shownSilence(changed) })
      call.version(changed.version)
      return shownSilence(changed)
    },
  }),
  ending('silence', '/v1/silences/{id}', 'End a silence now, or take it back if it has not begun'),
]

function list<T extends z.ZodType>(
  kind: PlanKind,
  path: string,
  summary: string,
  answer: T,
  shown: (plan: Plan) => z.input<T>,
): Route {
  return route({
    method: 'get',
    path,
    access: 'platform',
    summary,
    tag: path.split('/')[2],
    status: 200,
    answer: pageOf(answer),
    handle: async ({ deps }) => ({ items: (await deps.platform.plans.list(kind)).map(shown), next: null }),
  })
}

function read<T extends z.ZodType>(
  kind: PlanKind,
  path: string,
  summary: string,
  answer: T,
  shown: (plan: Plan) => z.input<T>,
): Route {
  return route({
    method: 'get',
    path,
    access: 'platform',
    summary,
    tag: path.split('/')[2],
    params,
    status: 200,
    versioned: 'optional',
    answer,
    problems: ['plan_not_found'],
    handle: async ({ deps, params: { id }, version }) => {
      const plan = await deps.platform.plans.get(kind, id)
      version(plan.version)
      return shown(plan)
    },
  })
}

function ending(kind: PlanKind, path: string, summary: string): Route {
  return route({
    method: 'delete',
    path,
    access: 'platform',
    summary,
    tag: path.split('/')[2],
    params,
    status: 204,
    versioned: 'optional',
    problems: ['plan_not_found', 'conflict', 'outcome_unknown'],
    handle: async ({ deps, params: { id }, precondition, audit }) => {
      const before = await deps.platform.plans.get(kind, id)
      precondition.check(before.version)
      audit({ before: kind === 'silence' ? shownSilence(before) : shownWindow(before) })
      await deps.platform.plans.end(kind, id, precondition.given ? before.version : undefined)
      return undefined
    },
  })
}

/** Milliseconds since 1970. */
function at(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text)
}

/** The name by which others know who asks. */
function nameOf(caller: Caller | null): string {
  return caller?.kind === 'user' || caller?.kind === 'stranger' ? caller.user.email : 'platform token'
}

function shownWindow(plan: Plan): z.input<typeof window> {
  const { id, title, description, subjects: about } = plan
  return { id, title, description, subjects: [...about], ...shownRest(plan) }
}

function shownSilence(plan: Plan): z.input<typeof silence> {
  const { id, title: reason, subjects: about, alerts } = plan
  return { id, reason, subjects: [...about], alerts: [...alerts], ...shownRest(plan) }
}

function readable(plan: Plan): z.input<typeof checkerPlan> {
  const { id, kind, title, description, subjects: about, alerts } = plan
  const { owner: _, ...rest } = shownRest(plan)
  return { id, kind, title, description, subjects: [...about], alerts: [...alerts], ...rest }
}

function shownRest({ startsAt, endsAt, owner: by, createdAt }: Plan) {
  const iso = (ms: number): string => new Date(ms).toISOString()
  return { starts_at: iso(startsAt), ends_at: iso(endsAt), owner: by, created_at: iso(createdAt) }
}
