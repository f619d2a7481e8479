import { expect } from 'chai'
import { address, codeOf, create, remove } from './contract.ts'
import { FakeRoute53 } from './fake.ts'

const http = { Type: 'HTTP' as const, IPAddress: '203.0.113.1', Port: 80, RequestInterval: 30 }

/** Rules of the API reference that moto does not keep: what is tested with the fake must not be easier than AWS. */
describe('Route 53 in memory is as strict as the real one', () => {
  let port: FakeRoute53
  let zone: string
  const change = (...changes: Parameters<FakeRoute53['change']>[1]): Promise<string> =>
    codeOf(port.change(zone, changes, ''))
  beforeEach(() => {
    port = new FakeRoute53()
    zone = port.addZone('example.org').id
  })

  it('refuses CREATE of what is there, and DELETE of what is otherwise', async () => {
    const record = address('a.example.org', '192.0.2.1')
    expect(await change(create(record))).to.equal('')
    expect(await change(create(record))).to.equal('InvalidChangeBatch')
    expect(await change(remove(address('a.example.org', '192.0.2.2')))).to.equal('InvalidChangeBatch')
    expect(await change(remove({ ...record, TTL: 30 }))).to.equal('InvalidChangeBatch')
  })

  it('does all of a batch or nothing', async () => {
    const bad = remove(address('absent.example.org', '192.0.2.1'))
    expect(await change(create(address('a.example.org', '192.0.2.1')), bad)).to.equal('InvalidChangeBatch')
    expect(await port.records(zone)).to.have.length(2)
  })

  it('counts an UPSERT twice', async () => {
    const upserts = Array.from({ length: 501 }, (_, i) => ({
      Action: 'UPSERT' as const,
      ResourceRecordSet: address(`a${i}.example.org`, '192.0.2.1'),
    }))
    expect(await change(...upserts)).to.equal('InvalidChangeBatch')
    expect(await change(...upserts.slice(1))).to.equal('')
  })

  it('refuses more than 32,000 characters', async () => {
    const texts = Array.from({ length: 140 }, (_, i) =>
      create({ ...address(`t${i}.example.org`, `"${'x'.repeat(240)}"`), Type: 'TXT' as const }),
    )
    expect(await change(...texts)).to.equal('InvalidChangeBatch')
    expect(await change(...texts.slice(10))).to.equal('')
  })

  it('refuses two PRIMARY, mixed policies, an unknown check, an alias to nothing, a CNAME beside others', async () => {
    const name = 'a.example.org'
    const primary = (id: string) => address(name, '192.0.2.1', { SetIdentifier: id, Failover: 'PRIMARY' })
    const weighted = address(name, '192.0.2.1', { SetIdentifier: 'w', Weight: 1 })
    const { TTL: ttl, ResourceRecords: values, ...plain } = address(name, '192.0.2.1')
    expect([ttl, values]).to.have.length(2)
    const target = { HostedZoneId: zone, DNSName: 'absent.example.org', EvaluateTargetHealth: true }
    for (const changes of [
      [create(primary('a')), create(primary('b'))],
      [create(primary('a')), create(weighted)],
      [create(address(name, '192.0.2.1', { HealthCheckId: '00000000-0000-0000-0000-000000000000' }))],
      [create({ ...plain, AliasTarget: target })],
      [
        create(address(name, '192.0.2.1')),
        create({ ...address(name, 'b.example.org'), Type: 'CNAME' as const }),
      ],
    ]) {
      expect(await change(...changes)).to.equal('InvalidChangeBatch')
    }
  })

  it('is PENDING first, then INSYNC', async () => {
    let now = 0
    port = new FakeRoute53(() => now)
    const id = await port.change(port.addZone('example.net').id, [], '')
    expect(await port.isInSync(id)).to.equal(false)
    now = port.inSyncAfter
    expect(await port.isInSync(id)).to.equal(true)
  })

  it('takes a CallerReference once: the same check again, other settings or a deleted one refused', async () => {
    const { id } = await port.createCheck('ref', http)
    expect((await port.createCheck('ref', http)).id).to.equal(id)
    expect(await codeOf(port.createCheck('ref', { ...http, Port: 81 }))).to.equal('HealthCheckAlreadyExists')
    await port.deleteCheck(id)
    expect(await codeOf(port.createCheck('ref', http))).to.equal('HealthCheckAlreadyExists')
  })

  it('refuses an old version, an unknown child, a private address, and to delete what is in use', async () => {
    const child = await port.createCheck('child', http)
    await port.updateCheck(child.id, 1, http)
    expect(await codeOf(port.updateCheck(child.id, 1, http))).to.equal('HealthCheckVersionMismatch')
    const calculated = { Type: 'CALCULATED' as const, HealthThreshold: 1 }
    expect(await codeOf(port.createCheck('p', { ...calculated, ChildHealthChecks: ['no'] }))).to.equal(
      'InvalidInput',
    )
    expect(await codeOf(port.createCheck('q', { ...http, IPAddress: '10.0.0.1' }))).to.equal('InvalidInput')
    await port.createCheck('r', { ...calculated, ChildHealthChecks: [child.id] })
    expect(await codeOf(port.deleteCheck(child.id))).to.equal('HealthCheckInUse')
    expect(await codeOf(port.deleteCheck('absent'))).to.equal('NoSuchHealthCheck')
  })
})
