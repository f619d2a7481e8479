import { randomUUID } from 'node:crypto'
import type { Change, HealthCheckConfig, ResourceRecordSet } from '@aws-sdk/client-route-53'
import { isPublic } from '#healthcheck/dns/route53/address.ts'
import { sizeOf } from '#healthcheck/dns/route53/batches.ts'
import {
  batchLimits,
  type HostedZone,
  type LiveCheck,
  type Route53,
  Route53Error,
  type Tagged,
  type Tags,
} from '#healthcheck/dns/route53/port.ts'
import { canonicalName, isSame, keyOf } from '#healthcheck/dns/route53/records.ts'

interface FakeCheck {
  check: LiveCheck
  madeAt: number
  /** What probers say once they have looked. */
  status: string
}

/** Route 53 in memory, with the rules of its API reference, also those that emulators leave out. */
export class FakeRoute53 implements Route53 {
  /** Method and what it was about, in the order of the calls. */
  readonly calls: string[] = []
  readonly #zones = new Map<string, HostedZone>()
  readonly #records = new Map<string, Map<string, ResourceRecordSet>>()
  readonly #checks = new Map<string, FakeCheck>()
  readonly #references = new Map<string, string>()
  readonly #tags = new Map<string, Tags>()
  readonly #changes = new Map<string, number>()
  readonly #now: () => number
  /** Milliseconds until a change is everywhere, and until a new check has results. */
  inSyncAfter = 30_000
  resultsAfter = 40_000
  /** Throws what the next calls shall fail with; before anything is done, or after it, the answer lost. */
  before: ((call: string) => void) | undefined
  after: ((call: string) => void) | undefined

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Not a part of the port: people make zones. */
  addZone(name: string): HostedZone {
    const zone = { id: `Z${randomUUID().replaceAll('-', '').slice(0, 20).toUpperCase()}`, name }
    this.#zones.set(zone.id, zone)
    const apex = (Type: 'NS' | 'SOA', Value: string): ResourceRecordSet => ({
      Name: `${name}.`,
      Type,
      TTL: 900,
      ResourceRecords: [{ Value }],
    })
    const records = [
      apex('NS', 'ns-1.awsdns-01.org.'),
      apex('SOA', 'ns-1.awsdns-01.org. awsdns. 1 7200 900 1209600 86400'),
    ]
    this.#records.set(zone.id, new Map(records.map((one) => [keyOf(one), one])))
    return zone
  }

  /** What the probers say of a check from now on. */
  observe(id: string, status: string): void {
    const found = this.#checks.get(id)
    if (found !== undefined) found.status = status
  }

  zonesNamed(name: string): Promise<HostedZone[]> {
    return this.#call(`zonesNamed ${name}`, () =>
      [...this.#zones.values()].filter((one) => one.name === name),
    )
  }

  zone(id: string): Promise<HostedZone> {
    return this.#call(`zone ${id}`, () => this.#zoneOf(id))
  }

  records(zone: string): Promise<ResourceRecordSet[]> {
    return this.#call('records', () => {
      this.#zoneOf(zone)
      return [...this.#recordsOf(zone).values()].map((one) => structuredClone(one))
    })
  }

  change(zone: string, changes: readonly Change[], _comment: string): Promise<string> {
    return this.#call(`change ${changes.length}`, () => {
      const { name } = this.#zoneOf(zone)
      const next = new Map(this.#recordsOf(zone))
      const { records, characters } = sizeOf(changes)
      if (records > batchLimits.records)
        throw refusal(`Number of records limit of ${batchLimits.records} exceeded.`)
      if (characters > batchLimits.characters)
        throw refusal(`Number of characters limit of ${batchLimits.characters} exceeded.`)
      for (const change of changes) this.#applyChange(next, change, name)
      this.#checkGroups(next, zone)
      this.#records.set(zone, next)
      const id = `C${randomUUID().slice(0, 8).toUpperCase()}`
      this.#changes.set(id, this.#now() + this.inSyncAfter)
      return id
    })
  }

  isInSync(change: string): Promise<boolean> {
    return this.#call('isInSync', () => {
      const at = this.#changes.get(change)
      if (at === undefined) throw new Route53Error('NoSuchChange', `no change ${change}`)
      return this.#now() >= at
    })
  }

  checks(): Promise<LiveCheck[]> {
    return this.#call('checks', () => [...this.#checks.values()].map(({ check }) => structuredClone(check)))
  }

  createCheck(reference: string, config: HealthCheckConfig): Promise<LiveCheck> {
    return this.#call(`createCheck ${config.Type}`, () => {
      if (reference.length > 64) throw new Route53Error('InvalidInput', 'CallerReference is too long')
      const before = this.#references.get(reference)
      const there = before === undefined ? undefined : this.#checks.get(before)
      if (before !== undefined) {
        if (there !== undefined && JSON.stringify(there.check.config) === JSON.stringify(config))
          return structuredClone(there.check)
        throw new Route53Error(
          'HealthCheckAlreadyExists',
          `a health check with reference ${reference} exists or existed`,
        )
      }
      this.#checkConfig(config)
      const check = { id: randomUUID(), reference, version: 1, config: structuredClone(config) }
      this.#references.set(reference, check.id)
      this.#checks.set(check.id, {
        check,
        madeAt: this.#now(),
        status: 'Failure: HTTP Status Code 404, Not Found',
      })
      return structuredClone(check)
    })
  }

  updateCheck(id: string, version: number, config: HealthCheckConfig): Promise<LiveCheck> {
    return this.#call(`updateCheck ${id}`, () => {
      const found = this.#checkOf(id)
      if (found.check.version !== version)
        throw new Route53Error('HealthCheckVersionMismatch', `the version is ${found.check.version}`)
      const { Type, RequestInterval } = found.check.config
      const next = { ...found.check.config, ...structuredClone(config), Type, RequestInterval }
      this.#checkConfig(next)
      found.check = { ...found.check, version: version + 1, config: next }
      return structuredClone(found.check)
    })
  }

  deleteCheck(id: string): Promise<void> {
    return this.#call(`deleteCheck ${id}`, () => {
      this.#checkOf(id)
      const parent = [...this.#checks.values()].find(({ check }) =>
        check.config.ChildHealthChecks?.includes(id),
      )
      const record = [...this.#records.values()]
        .flatMap((zone) => [...zone.values()])
        .find((one) => one.HealthCheckId === id)
      if (parent !== undefined || record !== undefined)
        throw new Route53Error('HealthCheckInUse', `health check ${id} is in use`)
      this.#checks.delete(id)
      this.#tags.delete(id)
    })
  }

  observations(id: string): Promise<string[]> {
    return this.#call('observations', () => {
      const { check, madeAt, status } = this.#checkOf(id)
      if (check.config.Type === 'CALCULATED')
        throw new Route53Error('InvalidInput', 'a calculated check has no observations')
      return Array<string>(15).fill(this.#now() - madeAt < this.resultsAfter ? 'Unknown' : status)
    })
  }

  tags(of: Tagged, ids: readonly string[]): Promise<Map<string, Tags>> {
    return this.#call(`tags ${of}`, () => new Map(ids.map((id) => [id, { ...this.#tags.get(id) }])))
  }

  tag(of: Tagged, id: string, tags: Tags): Promise<void> {
    return this.#call(`tag ${of}`, () => {
      if (of === 'healthcheck') this.#checkOf(id)
      else this.#zoneOf(id)
      const all = { ...this.#tags.get(id), ...tags }
      if (Object.keys(all).length > 50) throw new Route53Error('InvalidInput', 'more than 50 tags')
      this.#tags.set(id, all)
    })
  }

  async #call<T>(name: string, act: () => T): Promise<T> {
    this.calls.push(name)
    this.before?.(name)
    const answer = act()
    this.after?.(name)
    return answer
  }

  #zoneOf(id: string): HostedZone {
    const zone = this.#zones.get(id)
    if (zone === undefined) throw new Route53Error('NoSuchHostedZone', `No hosted zone found with ID: ${id}`)
    return zone
  }

  #recordsOf(zone: string): Map<string, ResourceRecordSet> {
    return this.#records.get(zone) ?? new Map<string, ResourceRecordSet>()
  }

  #checkOf(id: string): FakeCheck {
    const found = this.#checks.get(id)
    if (found === undefined)
      throw new Route53Error('NoSuchHealthCheck', `A health check with id ${id} does not exist.`)
    return found
  }

  #checkConfig({ Type, IPAddress, ChildHealthChecks = [], HealthThreshold = 0 }: HealthCheckConfig): void {
    if (Type === 'CALCULATED') {
      if (ChildHealthChecks.length > 255 || HealthThreshold > 256)
        throw new Route53Error('InvalidInput', 'more than 255 child health checks')
      for (const child of ChildHealthChecks) {
        if (!this.#checks.has(child))
          throw new Route53Error('InvalidInput', `child health check ${child} does not exist`)
      }
    } else if (IPAddress === undefined || !isPublic(IPAddress)) {
      throw new Route53Error('InvalidInput', `Invalid IP address ${IPAddress}`)
    }
  }

  #applyChange(
    next: Map<string, ResourceRecordSet>,
    { Action, ResourceRecordSet: record }: Change,
    zone: string,
  ): void {
    if (record === undefined) throw refusal('no record set')
    const key = keyOf(record)
    const name = canonicalName(record.Name ?? '')
    if (name !== zone && !name.endsWith(`.${zone}`))
      throw refusal(`RRSet with DNS name ${name}. is not permitted in zone ${zone}.`)
    const there = next.get(key)
    if (Action === 'DELETE') {
      if (there === undefined)
        throw refusal(`Tried to delete resource record set [${key}] but it was not found`)
      if (!isSame(there, record))
        throw refusal(
          `Tried to delete resource record set [${key}] but the values provided do not match the current values`,
        )
      next.delete(key)
      return
    }
    if (Action === 'CREATE' && there !== undefined)
      throw refusal(`Tried to create resource record set [${key}] but it already exists`)
    if (record.HealthCheckId !== undefined && !this.#checks.has(record.HealthCheckId))
      throw refusal(`The health check ${record.HealthCheckId} does not exist`)
    for (const { Value = '' } of record.ResourceRecords ?? []) {
      if (record.Type === 'A' && !/^\d+(\.\d+){3}$/.test(Value))
        throw refusal(`Invalid Resource Record: '${Value}' is not a valid IPv4 address`)
      if (record.Type === 'TXT' && !/^("([^"\\]|\\.){0,255}" ?)+$/.test(Value))
        throw refusal(`Invalid Resource Record: InvalidCharacterString '${Value}'`)
    }
    next.set(key, structuredClone(record))
  }

  #checkGroups(next: ReadonlyMap<string, ResourceRecordSet>, zone: string): void {
    const groups = Map.groupBy(next.values(), ({ Name = '', Type = '' }) => `${canonicalName(Name)} ${Type}`)
    for (const [key, group] of groups) {
      if (new Set(group.map(policyOf)).size > 1)
        throw refusal(`RRSets with name and type [${key}] mix routing policies`)
      for (const role of ['PRIMARY', 'SECONDARY']) {
        if (group.filter(({ Failover }) => Failover === role).length > 1)
          throw refusal(`Only one ${role} failover record is allowed [${key}]`)
      }
      const places = group.flatMap(({ GeoLocation }) =>
        GeoLocation === undefined ? [] : [JSON.stringify(GeoLocation)],
      )
      if (new Set(places).size < places.length) throw refusal(`two record sets for one geolocation [${key}]`)
      const [name, type] = key.split(' ')
      if (
        type === 'CNAME' &&
        [...groups.keys()].some((other) => other !== key && other.startsWith(`${name} `))
      )
        throw refusal(`RRSet of type CNAME with DNS name ${name}. is not permitted beside others`)
      for (const { AliasTarget } of group) {
        if (AliasTarget?.HostedZoneId !== zone) continue
        const target = `${canonicalName(AliasTarget.DNSName ?? '')} ${type}`
        if (!groups.has(target))
          throw refusal(`Tried to create an alias that targets ${target}, but that target was not found`)
      }
    }
  }
}

function policyOf({ Weight, Failover, GeoLocation, Region, MultiValueAnswer }: ResourceRecordSet): string {
  if (Weight !== undefined) return 'weighted'
  if (Failover !== undefined) return 'failover'
  if (GeoLocation !== undefined) return 'geolocation'
  if (Region !== undefined) return 'latency'
  return MultiValueAnswer === undefined ? 'simple' : 'multivalue'
}

function refusal(message: string): Route53Error {
  return new Route53Error('InvalidChangeBatch', message)
}
