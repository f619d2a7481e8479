import type { ResourceRecordSet } from '@aws-sdk/client-route-53'
import type { HealthCheck } from '#healthcheck/dns/record-set.ts'
import type { CheckStep, Plan, RecordStep } from '#healthcheck/dns/route53/plan.ts'
import { safePercent } from '#healthcheck/dns/route53/plan.ts'
import { canonical, checkName, shortId, withNames } from '#healthcheck/dns/route53/records.ts'

const marks = { create: '+', update: '~', delete: '-' } as const

/** A plan for people: what is made (+), changed (~) and deleted (-), and whose it was. */
export function planLines(plan: Plan): string[] {
  const { zone, owner, checks, names, tags, conflicts, notes } = plan
  const steps = names.flatMap(({ records }) => records)
  const markers = names.filter(({ records }) => records.length === 0)
  return [
    `zone ${zone.name} (${zone.id}), cell ${owner.cell}`,
    ...section('health checks', checks.map(checkLine)),
    ...section(
      'records',
      names.flatMap(({ name, records }) => records.map((one) => recordLine(name, one, plan))),
    ),
    ...section(
      'notes of whose a name is',
      markers.map(({ name, markerAfter }) => `${markerAfter === undefined ? '-' : '~'} ${name}`),
    ),
    ...section(
      'tags',
      tags.map(({ of, name }) => `~ ${of === 'hostedzone' ? 'zone' : 'check'} ${name}`),
    ),
    ...section(
      "someone else's, in the way",
      conflicts.map(({ name, type, what }) => `! ${name} ${type}: ${what}`),
    ),
    ...notes.map((note) => `note: ${note}`),
    summary(plan, steps),
  ]
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)]
}

function summary({ names, checks, tags, percent, touched, existing }: Plan, steps: RecordStep[]): string {
  if (names.length + checks.length + tags.length === 0)
    return 'nothing to do: the zone is as the inventory says'
  const counted = (list: readonly { action: keyof typeof marks }[], what: string): string => {
    const of = (action: keyof typeof marks): number => list.filter((one) => one.action === action).length
    return `${what}: ${of('create')} to create, ${of('update')} to change, ${of('delete')} to delete`
  }
  const guard = percent > safePercent ? `, more than ${safePercent} %: needs --force ${percent}` : ''
  return [
    counted(steps, 'records'),
    counted(checks, 'health checks'),
    `${percent} % of what is ours changes (${touched.records} of ${existing.records} records, ${touched.checks} of ${existing.checks} checks)${guard}`,
  ].join('\n')
}

function checkLine(step: CheckStep): string {
  const head = `${marks[step.action]} ${step.name}`
  if (step.action === 'create') return `${head}  ${checkText(step.wanted)}`
  return step.action === 'update' ? `${head}  ${step.fields.join(', ')}` : `${head}  ${step.why}`
}

/** The secret of the path is not for terminals and logs. */
function checkText(check: HealthCheck): string {
  if (check.kind === 'http')
    return `http ${check.address}:${check.port}${check.path.replace(/^\/hc\/[^/]+\//, '/hc/.../')}`
  return `${check.inverted ? 'fewer than' : 'at least'} ${check.atLeast} of ${check.children.length} healthy`
}

function recordLine(name: string, { action, before, after, drift, adopted }: RecordStep, plan: Plan): string {
  const record = after ?? before
  const id = record && shortId(record)
  const head = `${marks[action]} ${name} ${record?.Type}${id === undefined ? '' : ` "${id}"`}`
  const from = beforeText(before, plan)
  const to = after === undefined ? null : recordText(after)
  const change = action === 'update' ? `${from} => ${to}` : (to ?? from)
  const why = adopted ? '  [taken over]' : drift ? '  [changed by hand]' : ''
  return `${head}  ${change}${why}`
}

function beforeText(record: ResourceRecordSet | undefined, { checkNames }: Plan): string | null {
  return record === undefined ? null : recordText(withNames(record, checkNames))
}

/** `weight 10, 192.0.2.11, 60 s, check dc01` */
function recordText(record: ResourceRecordSet): string {
  const { Weight, Failover, GeoLocation, AliasTarget, ResourceRecords, TTL, HealthCheckId } =
    canonical(record)
  const parts = [
    Weight === undefined ? '' : `weight ${Weight}`,
    Failover === undefined ? '' : Failover.toLowerCase(),
    GeoLocation === undefined ? '' : `place ${GeoLocation.CountryCode ?? GeoLocation.ContinentCode}`,
    AliasTarget === undefined
      ? (ResourceRecords ?? []).map(({ Value }) => Value).join(' ')
      : `alias ${AliasTarget.DNSName}`,
    TTL === undefined ? '' : `${TTL} s`,
    HealthCheckId === undefined ? '' : `check ${checkName(record) ?? HealthCheckId}`,
  ]
  return parts.filter((part) => part !== '').join(', ')
}

/** The same for programs; without the secret. */
export function planJson(plan: Plan): Record<string, unknown> {
  const { zone, owner, names, checks, tags, conflicts, notes, existing, touched, percent } = plan
  return {
    zone,
    cell: owner.cell,
    records: names.flatMap(({ name, records }) =>
      records.map(({ action, before, after, drift, adopted }) => ({
        action,
        name,
        type: (after ?? before)?.Type,
        set_identifier: (after ?? before)?.SetIdentifier ?? null,
        before: beforeText(before, plan),
        after: after === undefined ? null : recordText(after),
        drift,
        adopted,
      })),
    ),
    checks: checks.map((step) => ({
      action: step.action,
      name: step.name,
      ...(step.action === 'update' ? { fields: step.fields } : {}),
      ...(step.action === 'delete' ? { why: step.why } : {}),
    })),
    names: names.length,
    tags: tags.length,
    conflicts,
    notes,
    existing,
    touched,
    percent,
  }
}
