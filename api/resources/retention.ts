import { z } from 'zod'
import { classNames, classOf } from '#platform/telemetry/classes.ts'
import { telemetryLimits } from '#platform/telemetry/payload.ts'
import { maxRules, type RetentionDocument, type RetentionRule } from '#platform/telemetry/retention.ts'
import { minuteDays, quarterDays } from '#platform/telemetry/tables.ts'
import type { ApiDeps } from '../deps.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'
import { deviceOf, deviceParams, organisationOf, organisationQuery } from '../scope.ts'
import { actorOf, fill } from './imports.ts'
import { shownTask, task } from './tasks.ts'
import { keyList } from './telemetry-query.ts'

const rule = z
  .strictObject({
    profile: z
      .string()
      .min(1)
      .max(64)
      .nullable()
      .default(null)
      .describe('of devices with this profile; null: of all'),
    keys: z
      .string()
      .min(1)
      .max(telemetryLimits.keyLength + 1)
      .regex(/^[^*]*\*?$/, 'may have a * at its end only')
      .nullable()
      .default(null)
      .describe('a key, or the beginning of keys and *; null: all'),
    values: z.enum(classNames).describe('how long each value is kept after it was stored'),
    aggregates: z
      .boolean()
      .default(true)
      .describe(
        `whether aggregates are kept: of minutes ${minuteDays} days, of 15 minutes ${quarterDays} days`,
      ),
  })
  .meta({ id: 'RetentionRule' })
const rules = z
  .strictObject({
    rules: z
      .array(rule)
      .max(maxRules)
      .describe('the first that fits counts, for values that come from now on; none: 90d with aggregates'),
  })
  .meta({ id: 'Retention' })

const effective = z
  .object({
    key: z.string(),
    values_days: z.int(),
    minutes_days: z.int().nullable().describe('of aggregates of minutes; null: there are none'),
    quarters_days: z.int().nullable(),
    reason: z.string().describe('which rule says so'),
  })
  .meta({ id: 'EffectiveRetention' })

const query = z.strictObject(organisationQuery)
const tag = 'telemetry'

export const retentionRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/retention',
    access: 'viewer',
    byGroup: true,
    summary: 'How long values and aggregates of the organisation are kept',
    tag,
    query,
    status: 200,
    versioned: 'optional',
    answer: rules,
    problems: ['organisation_not_found'],
    handle: async ({ deps, caller, query: { organisation }, version }) => {
      const { id } = await organisationOf(deps, caller, organisation)
      const document = await deps.platform.retentions.read(id)
      version(document.version)
      return shown(document)
    },
  }),
  route({
    method: 'put',
    path: '/v1/retention',
    access: 'admin',
    summary: 'Replace the rules; what is stored already stays as long as the rules said then',
    tag,
    query,
    body: rules,
    status: 200,
    versioned: 'optional',
    answer: rules,
    problems: ['organisation_not_found', 'invalid_field', 'limit_reached', 'conflict', 'outcome_unknown'],
    handle: async ({ deps, caller, query: { organisation }, body, precondition, version, audit }) => {
      const { id } = await organisationOf(deps, caller, organisation)
      const before = await deps.platform.retentions.read(id)
      precondition.check(before.version)
      await gateStorageDays(deps, id, body.rules)
      const after = await deps.platform.retentions.replace(id, body.rules, before.version)
      audit({ before: shown(before), after: shown(after) })
      version(after.version)
      return shown(after)
    },
  }),
  route({
    method: 'get',
    path: '/v1/devices/{device}/retention',
    access: 'device',
    summary: 'How long values of each key are kept that the device sends now, and why',
    tag,
    params: deviceParams,
    query: z.strictObject({
      ...organisationQuery,
      keys: keyList.describe('also of keys that it does not have yet; default: those that it has'),
    }),
    status: 200,
    answer: z.object({ items: z.array(effective) }),
    problems: ['organisation_not_found', 'device_not_found'],
    handle: async ({ deps, caller, params, query: { organisation, keys } }) => {
      const ref = await deviceOf(deps, caller, params.device, organisation)
      const { retentions, telemetry, registry } = deps.platform
      await retentions.read(ref.org)
      const { profile } = await registry.devices.get(ref.org, ref.id)
      const set = retentions.of(ref.org)
      const items = (keys ?? (await telemetry.keys(ref))).map((key) => {
        const { class: kept, aggregates, rule: place } = set.resolve(profile, key)
        return {
          key,
          values_days: kept.days,
          minutes_days: aggregates ? minuteDays : null,
          quarters_days: aggregates ? quarterDays : null,
          reason: place === null ? 'no rule fits: the default' : reasonOf(place, set.document.rules[place]),
        }
      })
      return { items }
    },
  }),
  route({
    method: 'delete',
    path: '/v1/devices/{device}/telemetry',
    access: 'developer',
    summary: 'Delete all values and aggregates of a device, as a task; the device stays',
    tag,
    params: deviceParams,
    query,
    status: 202,
    answer: task,
    problems: ['organisation_not_found', 'device_not_found'],
    handle: async ({ deps, caller, params, query: { organisation }, response }) => {
      const { org, id, name } = await deviceOf(deps, caller, params.device, organisation)
      const { tasks, taskRunner } = deps.platform
      const made = await tasks.create(org, {
        kind: 'erase_telemetry',
        spec: {},
        actor: actorOf(caller),
        secret: false,
      })
      const filled = await fill(tasks, made, one({ id, name }))
      taskRunner.add(filled)
      response.location(`/v1/tasks/${filled.id}`)
      return shownTask(filled)
    },
  }),
]

/** Rules ask for no longer than the organisation's quota. Problem `limit_reached`. */
async function gateStorageDays(deps: ApiDeps, org: string, wanted: readonly RetentionRule[]): Promise<void> {
  const { storage_days: most } = await deps.platform.usage.quotas.limits(org)
  const place = wanted.findIndex(({ values }) => most > 0 && classOf(values).days > most)
  if (place === -1) return
  const field = `body.rules[${place}].values`
  const message = `must be at most ${most} days, which is the organisation's quota`
  throw new Problem('limit_reached', `${field}: ${message}`, { errors: [{ field, message }] })
}

function shown(document: RetentionDocument): z.input<typeof rules> {
  return { rules: document.rules.map((each) => ({ ...each })) }
}

function reasonOf(place: number, { profile, keys }: RetentionRule): string {
  const whom = profile === null ? 'all devices' : `devices with profile "${profile}"`
  return `rule ${place + 1} of the organisation: ${whom}, ${keys === null ? 'all keys' : `keys ${keys}`}`
}

async function* one(item: object): AsyncGenerator<object> {
  yield await Promise.resolve(item)
}
