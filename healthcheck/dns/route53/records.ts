import type { ResourceRecordSet } from '@aws-sdk/client-route-53'
import type { Continent } from '#platform/inventory/inventory.ts'
import { canonicalAddress } from './address.ts'
import type { HostedZone } from './port.ts'
import type { Answer, RecordSet, Routing } from '#healthcheck/dns/record-set.ts'

/** Before the name of a check whose id is not known yet; ids of Route 53 are UUIDs. */
const nameMark = '@'

/**
 * The record set in the API's form; its check by name, see withIds. SetIdentifier begins with the name, so that it is
 * the only one in the zone: Route 53 does not need that, people who read logs do, and an emulator that deletes by it.
 */
export function toAws(record: RecordSet, zone: HostedZone): ResourceRecordSet {
  const { name, type, id, routing, answer, check } = record
  return canonical({
    Name: name,
    Type: type,
    ...(id === undefined ? {} : { SetIdentifier: `${relative(name, zone)} ${id}` }),
    ...routingToAws(routing),
    ...('alias' in answer
      ? {
          AliasTarget: {
            HostedZoneId: zone.id,
            DNSName: answer.alias,
            EvaluateTargetHealth: answer.evaluateHealth,
          },
        }
      : {
          TTL: answer.ttl,
          ResourceRecords: answer.values.map((value) => ({ Value: type === 'TXT' ? quoted(value) : value })),
        }),
    ...(check === undefined ? {} : { HealthCheckId: nameMark + check }),
  })
}

function relative(name: string, zone: HostedZone): string {
  return name === zone.name ? '@' : name.slice(0, -zone.name.length - 1)
}

/** What tells it from others of its name, for people. */
export function shortId({ SetIdentifier }: ResourceRecordSet): string | undefined {
  return SetIdentifier?.split(' ').at(-1)
}

function routingToAws(routing: Routing): Partial<ResourceRecordSet> {
  if (routing.by === 'simple') return {}
  if (routing.by === 'weight') return { Weight: routing.weight }
  if (routing.by === 'failover') return { Failover: routing.role === 'primary' ? 'PRIMARY' : 'SECONDARY' }
  const { place } = routing
  if (place === 'default') return { GeoLocation: { CountryCode: '*' } }
  return {
    GeoLocation: 'continent' in place ? { ContinentCode: place.continent } : { CountryCode: place.country },
  }
}

/** The way back; null: of a kind that the platform does not make (latency, CNAME, alias to another zone). */
export function fromAws(record: ResourceRecordSet, zone: string): RecordSet | null {
  const { Name, Type, SetIdentifier, HealthCheckId } = canonical(record)
  const routing = routingFromAws(record)
  const answer = answerFromAws(record, zone)
  if (routing === null || answer === null || Name === undefined) return null
  if (Type !== 'A' && Type !== 'AAAA' && Type !== 'TXT') return null
  return {
    name: Name,
    type: Type,
    ...(SetIdentifier === undefined ? {} : { id: SetIdentifier }),
    routing,
    answer,
    ...(HealthCheckId === undefined ? {} : { check: HealthCheckId.replace(nameMark, '') }),
  }
}

function routingFromAws({ SetIdentifier, Weight, Failover, GeoLocation }: ResourceRecordSet): Routing | null {
  if (Weight !== undefined) return { by: 'weight', weight: Weight }
  if (Failover !== undefined)
    return { by: 'failover', role: Failover === 'PRIMARY' ? 'primary' : 'secondary' }
  if (GeoLocation?.SubdivisionCode !== undefined) return null
  if (GeoLocation?.ContinentCode !== undefined)
    return { by: 'place', place: { continent: GeoLocation.ContinentCode as Continent } }
  if (GeoLocation?.CountryCode !== undefined) {
    const country = GeoLocation.CountryCode
    return { by: 'place', place: country === '*' ? 'default' : { country } }
  }
  return SetIdentifier === undefined ? { by: 'simple' } : null
}

function answerFromAws(record: ResourceRecordSet, zone: string): Answer | null {
  const { AliasTarget, ResourceRecords = [], TTL } = canonical(record)
  if (AliasTarget !== undefined) {
    if (AliasTarget.HostedZoneId !== zone) return null
    return { alias: AliasTarget.DNSName ?? '', evaluateHealth: AliasTarget.EvaluateTargetHealth === true }
  }
  return { values: ResourceRecords.map(({ Value = '' }) => unquoted(Value)), ttl: TTL ?? 0 }
}

/**
 * One form for what means the same: the API and its emulators differ in dots at the end of names, in `\052` for `*`,
 * in the order of values and in how they write an IPv6 address. Fields that we do not know are kept.
 */
export function canonical(record: ResourceRecordSet): ResourceRecordSet {
  const { Name, AliasTarget, ResourceRecords, GeoLocation, SetIdentifier, Type, ...rest } = record
  const address = Type === 'A' || Type === 'AAAA'
  return {
    Name: canonicalName(Name ?? ''),
    Type,
    ...(SetIdentifier === undefined ? {} : { SetIdentifier }),
    ...(GeoLocation === undefined ? {} : { GeoLocation: sorted(GeoLocation) }),
    ...sorted(rest),
    ...(AliasTarget === undefined
      ? {
          ResourceRecords: (ResourceRecords ?? [])
            .map(({ Value = '' }) => ({ Value: address ? canonicalAddress(Value) : Value }))
            .toSorted((a, b) => (a.Value < b.Value ? -1 : 1)),
        }
      : {
          AliasTarget: {
            HostedZoneId: AliasTarget.HostedZoneId?.replace('/hostedzone/', ''),
            DNSName: canonicalName(AliasTarget.DNSName ?? ''),
            EvaluateTargetHealth: AliasTarget.EvaluateTargetHealth === true,
          },
        }),
  }
}

export function canonicalName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '').replaceAll('\\052', '*')
}

function sorted<T extends object>(fields: T): T {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1))) as T
}

/** Tells record sets of a zone from each other. */
export function keyOf({ Name = '', Type, SetIdentifier }: ResourceRecordSet): string {
  return [canonicalName(Name), Type, SetIdentifier ?? ''].join(' ').trimEnd()
}

export function isSame(a: ResourceRecordSet, b: ResourceRecordSet): boolean {
  return JSON.stringify(canonical(a)) === JSON.stringify(canonical(b))
}

/** Checks by their names instead of their ids, where `names` knows them. */
export function withNames(record: ResourceRecordSet, names: ReadonlyMap<string, string>): ResourceRecordSet {
  const name = record.HealthCheckId === undefined ? undefined : names.get(record.HealthCheckId)
  return canonical(name === undefined ? record : { ...record, HealthCheckId: nameMark + name })
}

/** Name of the check that a record set needs, as far as it is one by name. */
export function checkName({ HealthCheckId }: ResourceRecordSet): string | undefined {
  return HealthCheckId?.startsWith(nameMark) === true ? HealthCheckId.slice(nameMark.length) : undefined
}

/** Checks by their ids. Throws if `ids` lacks one: a record without its check would never be taken out. */
export function withIds(record: ResourceRecordSet, ids: ReadonlyMap<string, string>): ResourceRecordSet {
  const name = checkName(record)
  if (name === undefined) return record
  const id = ids.get(name)
  if (id === undefined) throw new Error(`${record.Name}: there is no health check "${name}"`)
  return { ...record, HealthCheckId: id }
}

/** A TXT value is strings of at most 255 characters, in quotes. */
function quoted(text: string): string {
  const parts = text.match(/[^]{1,255}/g) ?? ['']
  return parts.map((part) => `"${part.replaceAll(/["\\]/g, '\\$&')}"`).join(' ')
}

function unquoted(value: string): string {
  const parts = value.match(/"(?:[^"\\]|\\.)*"/g)
  return parts === null ? value : parts.map((part) => part.slice(1, -1).replaceAll(/\\(.)/g, '$1')).join('')
}
