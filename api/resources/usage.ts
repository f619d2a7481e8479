import { z } from 'zod'
import { type Override, type QuotaKind, quotaKinds } from '#platform/limits/quotas.ts'
import { dayOf, type UsageDay } from '#platform/limits/usage.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'
import { organisationOf, organisationQuery } from '../scope.ts'

const dayMs = 86_400_000
const maxDays = 92
const tag = 'usage'

const count = z.int().min(0)
const day = z.object({
  day: z.iso.date().describe('in UTC'),
  requests: count.describe('requests to the API'),
  messages: count.describe('messages published'),
  points: count.describe('values stored'),
  connections_peak: count.describe('at most so many MQTT connections were there at a time'),
})
const share = z.object({
  used: count.nullable().describe('null: it is not counted'),
  limit: count.nullable().describe('null: there is none'),
})
const limits = z.object({
  requests: count.nullable().describe('a day'),
  messages: count.nullable().describe('a day'),
  points: count.nullable().describe('a day'),
  connections: count.nullable().describe('at a time'),
  storage_days: count.nullable().describe('for which values are kept at most'),
})
const quotas = z
  .object({
    limits: limits.describe('null: as configured; 0: no limit'),
    effective: limits.describe('what holds; null: no limit'),
    version: z.int().describe('counts changes'),
  })
  .meta({ id: 'Quotas' })
const date = z.iso.date('must be a day like 2026-11-21').optional()
const path = '/v1/organisations/{organisation}/quotas'
const params = z.strictObject({ organisation: z.string().min(1).max(63) })

export const usageRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/usage',
    access: 'viewer',
    operationId: 'getUsage',
    summary: 'What the organisation has used, and what it may use',
    tag,
    query: z.strictObject({
      ...organisationQuery,
      from: date.describe('first day (UTC); default: today'),
      to: date.describe('last day, included; default: today'),
    }),
    status: 200,
    answer: z.object({
      organisation: z.string(),
      today: z.iso.date().describe('the day (UTC) that daily quotas are for'),
      resets_at: z.iso.datetime().describe('when daily quotas begin anew'),
      quotas: z.object({
        requests: share,
        messages: share,
        points: share,
        connections: share,
        storage_days: share,
      }),
      days: z.array(day),
    }),
    problems: ['organisation_not_found'],
    handle: async ({ deps, caller, query }) => {
      const { id: org } = await organisationOf(deps, caller, query.organisation)
      const { usage } = deps.platform
      const now = deps.clock.now()
      const today = dayOf(now)
      const { from = today, to = today } = query
      gateDays(from, to)
      const [effective, days, [used]] = await Promise.all([
        usage.quotas.limits(org),
        usage.days(org, from, to),
        usage.days(org, today, today),
      ])
      const counted = usedOf(used, usage.of(org).connectionsEverywhere)
      const of = (kind: QuotaKind) => ({
        used: counted[kind],
        limit: effective[kind] === 0 ? null : effective[kind],
      })
      return {
        organisation: org,
        today,
        resets_at: new Date(Date.parse(today) + dayMs).toISOString(),
        quotas: {
          requests: of('requests'),
          messages: of('messages'),
          points: of('points'),
          connections: of('connections'),
          storage_days: of('storage_days'),
        },
        days: days.map(({ connectionsPeak, ...rest }) => ({ ...rest, connections_peak: connectionsPeak })),
      }
    },
  }),
  route({
    method: 'get',
    path,
    access: 'platform',
    operationId: 'getQuotas',
    summary: 'What an organisation may use',
    tag,
    params,
    versioned: 'optional',
    status: 200,
    answer: quotas,
    problems: ['organisation_not_found'],
    handle: async ({ deps, params: { organisation }, version }) => {
      const { id: org } = await deps.platform.registry.organisations.get(organisation)
      const override = await deps.platform.usage.quotas.override(org)
      version(override.version)
      return shown(deps.platform.usage.quotas.effective(override), override)
    },
  }),
  route({
    method: 'put',
    path,
    access: 'platform',
    operationId: 'putQuotas',
    summary: 'Set what an organisation may use; holds everywhere within half a minute',
    tag,
    params,
    versioned: 'optional',
    body: z.strictObject({
      requests: count.nullable().default(null).describe('a day; null: as configured; 0: no limit'),
      messages: count.nullable().default(null).describe('a day'),
      points: count.nullable().default(null).describe('a day'),
      connections: count.nullable().default(null).describe('at a time'),
      storage_days: count.nullable().default(null).describe('for which values are kept at most'),
    }),
    status: 200,
    answer: quotas,
    problems: ['organisation_not_found', 'conflict', 'outcome_unknown'],
    handle: async ({ deps, params: { organisation }, body, precondition, version, audit }) => {
      const { usage, registry } = deps.platform
      const { id: org } = await registry.organisations.get(organisation)
      const before = await usage.quotas.override(org)
      precondition.check(before.version)
      const after = await usage.quotas.set(org, body, before.version)
      await usage.reread(org)
      version(after.version)
      audit({ before: before.limits, after: after.limits })
      return shown(usage.quotas.effective(after), after)
    },
  }),
]

function gateDays(from: string, to: string): void {
  const days = (Date.parse(to) - Date.parse(from)) / dayMs
  if (days >= 0 && days < maxDays) return
  const message = days < 0 ? 'must not be before from' : `must be at most ${maxDays} days after from`
  throw new Problem('invalid_request', `query.to: ${message}`, { errors: [{ field: 'query.to', message }] })
}

function usedOf(used: UsageDay | undefined, connections: number): Record<QuotaKind, number | null> {
  const { requests = 0, messages = 0, points = 0 } = used ?? {}
  return { requests, messages, points, connections, storage_days: null }
}

function shown(effective: Readonly<Record<QuotaKind, number>>, { limits: own, version }: Override) {
  const orNone = (kind: QuotaKind) => (effective[kind] === 0 ? null : effective[kind])
  return {
    limits: own,
    effective: Object.fromEntries(quotaKinds.map((kind) => [kind, orNone(kind)])) as z.output<typeof limits>,
    version,
  }
}
