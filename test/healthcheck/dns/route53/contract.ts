import { randomUUID } from 'node:crypto'
import type { Change, ResourceRecordSet } from '@aws-sdk/client-route-53'
import { expect } from 'chai'
import { type Route53, Route53Error } from '#healthcheck/dns/route53/port.ts'
import { isSame, keyOf } from '#healthcheck/dns/route53/records.ts'

export const address = (
  name: string,
  value: string,
  more: Partial<ResourceRecordSet> = {},
): ResourceRecordSet => ({
  Name: name,
  Type: 'A',
  TTL: 60,
  ResourceRecords: [{ Value: value }],
  ...more,
})
export const create = (record: ResourceRecordSet): Change => ({ Action: 'CREATE', ResourceRecordSet: record })
export const remove = (record: ResourceRecordSet): Change => ({ Action: 'DELETE', ResourceRecordSet: record })

/** The code of the refusal; '' if there was none. */
export async function codeOf(answer: Promise<unknown>): Promise<string> {
  try {
    await answer
    return ''
  } catch (error) {
    if (error instanceof Route53Error) return error.code
    throw error
  }
}

/** What every adapter of the port does; `makeZone` is how a person makes a zone there. */
export function route53Contract(
  start: () => Promise<{
    port: Route53
    makeZone: (name: string) => Promise<string>
    stop: () => Promise<void>
  }>,
): void {
  let port: Route53
  let makeZone: (name: string) => Promise<string>
  let stop: () => Promise<void>
  let name: string
  let zone: string
  before(async () => {
    ;({ port, makeZone, stop } = await start())
  })
  after(() => stop())
  beforeEach(async () => {
    name = `z${randomUUID().slice(0, 8)}.example.org`
    zone = await makeZone(name)
  })

  const http = (ip: string) => ({
    Type: 'HTTP' as const,
    IPAddress: ip,
    Port: 8053,
    ResourcePath: '/hc/secret/dc01/down',
    RequestInterval: 30,
    FailureThreshold: 1,
    Inverted: false,
    Disabled: false,
  })
  const own = async (): Promise<ResourceRecordSet[]> =>
    (await port.records(zone)).filter(({ Type }) => Type !== 'NS' && Type !== 'SOA')

  it('finds a zone by its name and by its id, and says when there is none', async () => {
    expect(await port.zonesNamed(name)).to.deep.equal([{ id: zone, name }])
    expect(await port.zone(zone)).to.deep.equal({ id: zone, name })
    expect(await port.zonesNamed('absent.example.org')).to.deep.equal([])
    expect(await codeOf(port.zone('Z0000000000000'))).to.equal('NoSuchHostedZone')
  })

  it('gives back every kind of record set as it was made', async () => {
    const check = await port.createCheck(randomUUID(), http('203.0.113.1'))
    const alias = (target: string): Partial<ResourceRecordSet> => ({
      AliasTarget: { HostedZoneId: zone, DNSName: `${target}.${name}`, EvaluateTargetHealth: true },
    })
    const led = (from: string, more: Partial<ResourceRecordSet>): ResourceRecordSet => ({
      Name: `${from}.${name}`,
      Type: 'A',
      ...more,
    })
    const wanted = [
      address(`dc01.${name}`, '192.0.2.1', { SetIdentifier: 'h1', Weight: 10, HealthCheckId: check.id }),
      address(`dc01.${name}`, '192.0.2.2', { SetIdentifier: 'h2', Weight: 0 }),
      led('1.eu._chain', { SetIdentifier: 'dc01', Failover: 'PRIMARY', ...alias('dc01') }),
      led('1.eu._chain', {
        SetIdentifier: 'next',
        Failover: 'SECONDARY',
        ...alias('dc01'),
      }),
      led('mqtt', {
        SetIdentifier: 'eu',
        GeoLocation: { ContinentCode: 'EU' },
        ...alias('1.eu._chain'),
      }),
      led('mqtt', {
        SetIdentifier: 'de',
        GeoLocation: { CountryCode: 'DE' },
        ...alias('1.eu._chain'),
      }),
      led('mqtt', {
        SetIdentifier: 'default',
        GeoLocation: { CountryCode: '*' },
        ...alias('1.eu._chain'),
      }),
      { ...address(`h1.${name}`, '2001:db8::1'), Type: 'AAAA' as const },
      { ...address(`_cinque.h1.${name}`, '"a=b,c=d" "e \\"f\\""'), Type: 'TXT' as const },
    ]
    await port.change(zone, wanted.map(create), 'test')
    const found = new Map((await own()).map((one) => [keyOf(one), one]))
    expect(found.size).to.equal(wanted.length)
    for (const record of wanted) {
      const there = found.get(keyOf(record))
      expect(there !== undefined && isSame(there, record), JSON.stringify([record, there])).to.equal(true)
    }
    // What was read can be deleted as it was read.
    await port.change(zone, [...found.values()].toReversed().map(remove), 'test')
    expect(await own()).to.deep.equal([])
  })

  it('replaces a record set by DELETE and CREATE in one batch, also by one of another policy', async () => {
    const before = address(`a.${name}`, '192.0.2.1')
    const after = address(`a.${name}`, '192.0.2.2', { SetIdentifier: 'x', Weight: 1 })
    await port.change(zone, [create(before)], 'test')
    const change = await port.change(zone, [remove(before), create(after)], 'test')
    expect(change).to.match(/^\w+$/)
    expect((await own()).map(keyOf)).to.deep.equal([`a.${name} A x`])
  })

  it('lists more records than a page has', async () => {
    const names = Array.from({ length: 450 }, (_, i) => `r${String(i).padStart(3, '0')}.${name}`)
    await port.change(
      zone,
      names.map((one) => create(address(one, '192.0.2.1'))),
      'test',
    )
    expect((await own()).map(keyOf)).to.have.members(names.map((one) => `${one} A`))
  })

  it('refuses what is outside of the zone, absent, or too much, by a code', async () => {
    const outside = codeOf(port.change(zone, [create(address('a.example.net', '192.0.2.1'))], 'test'))
    expect(await outside).to.be.oneOf(['InvalidChangeBatch', 'InvalidInput'])
    const absent = codeOf(port.change(zone, [remove(address(`no.${name}`, '192.0.2.1'))], 'test'))
    expect(await absent).to.be.oneOf(['InvalidChangeBatch', 'InvalidInput'])
    const many = Array.from({ length: 1001 }, (_, i) => create(address(`m${i}.${name}`, '192.0.2.1')))
    expect(await codeOf(port.change(zone, many, 'test'))).to.be.oneOf(['InvalidChangeBatch', 'InvalidInput'])
    expect(await codeOf(port.records('Z0000000000000'))).to.equal('NoSuchHostedZone')
  })

  it('makes, changes, lists and deletes health checks', async () => {
    const reference = randomUUID()
    const child = await port.createCheck(reference, http('203.0.113.1'))
    expect(child.reference).to.equal(reference)
    expect(child.config).to.deep.include(http('203.0.113.1'))
    const parent = await port.createCheck(randomUUID(), {
      Type: 'CALCULATED',
      HealthThreshold: 1,
      ChildHealthChecks: [child.id],
      Inverted: true,
      Disabled: false,
    })
    const changed = await port.updateCheck(child.id, child.version, { ...http('203.0.113.2'), Port: 80 })
    expect(changed.config).to.deep.include({ IPAddress: '203.0.113.2', Port: 80 })
    const all = await port.checks()
    expect(all.find(({ id }) => id === parent.id)?.config).to.deep.include({
      ChildHealthChecks: [child.id],
      Inverted: true,
    })
    expect(all.find(({ id }) => id === child.id)?.config.IPAddress).to.equal('203.0.113.2')
    await port.deleteCheck(parent.id)
    await port.deleteCheck(child.id)
    expect((await port.checks()).some(({ id }) => id === child.id || id === parent.id)).to.equal(false)
  })

  it('keeps tags of more checks than one request asks for, and of the zone', async () => {
    const ids: string[] = []
    for (let i = 0; i < 12; i++) {
      const { id } = await port.createCheck(randomUUID(), http('203.0.113.3'))
      await port.tag('healthcheck', id, { Name: `check ${i}`, 'cinque:check': `dc01@c${i}` })
      ids.push(id)
    }
    await port.tag('healthcheck', ids[0], { Name: 'other' })
    const tags = await port.tags('healthcheck', ids)
    expect(tags.get(ids[0])).to.deep.equal({ Name: 'other', 'cinque:check': 'dc01@c0' })
    expect(tags.get(ids[11])).to.deep.equal({ Name: 'check 11', 'cinque:check': 'dc01@c11' })
    await port.tag('hostedzone', zone, { 'cinque:cell:seed': 'dns' })
    expect((await port.tags('hostedzone', [zone])).get(zone)).to.deep.equal({ 'cinque:cell:seed': 'dns' })
    expect(await port.tags('healthcheck', [])).to.deep.equal(new Map())
  })
}
