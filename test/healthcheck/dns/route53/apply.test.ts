import type { ResourceRecordSet } from '@aws-sdk/client-route-53'
import { expect } from 'chai'
import { ApplyError, applyPlan } from '#healthcheck/dns/route53/apply.ts'
import { readLive } from '#healthcheck/dns/route53/live.ts'
import { isEmpty, makePlan, type Plan, TreeError } from '#healthcheck/dns/route53/plan.ts'
import { type HostedZone, Route53Error } from '#healthcheck/dns/route53/port.ts'
import { canonicalName } from '#healthcheck/dns/route53/records.ts'
import { withRetries } from '#healthcheck/dns/route53/retries.ts'
import type { RecordTree } from '#healthcheck/dns/record-set.ts'
import { VirtualTime, VirtualTimers } from '../../../virtual-time.ts'
import { address, create, remove } from './contract.ts'
import { FakeRoute53 } from './fake.ts'
import { sampleTree, zone as zoneName } from './sample.ts'

const cell = 'seed'

describe('what the inventory says comes into Route 53', () => {
  let time: VirtualTime
  let fake: FakeRoute53
  let zone: HostedZone
  let said: string[]
  beforeEach(() => {
    time = new VirtualTime()
    fake = new FakeRoute53(() => time.now)
    zone = fake.addZone(zoneName)
    said = []
  })

  const plan = async (tree: RecordTree = sampleTree(), adopt = false): Promise<Plan> =>
    makePlan(tree, await readLive(fake, zone, cell), { cell, adopt })
  /** Lets virtual time pass until it is over. */
  const over = async <T>(work: Promise<T>): Promise<T> => {
    let ended = false
    const end = (): boolean => (ended = true)
    work.then(end, end)
    await time.until(() => ended, 3_600_000, 'apply')
    return work
  }
  const apply = async (wanted: Plan): Promise<void> => {
    const timers = new VirtualTimers(time)
    const options = { timers, say: (line: string) => said.push(line) }
    await over(applyPlan(withRetries(fake, { timers }), wanted, options))
  }
  const failure = async (work: Promise<unknown>): Promise<Error> => {
    try {
      await work
    } catch (error) {
      if (error instanceof Error) return error
    }
    throw new Error('it did not fail')
  }
  const at = async (name: string): Promise<ResourceRecordSet[]> =>
    (await fake.records(zone.id)).filter(({ Name = '' }) => canonicalName(Name) === `${name}.${zoneName}`)

  it('makes everything in one batch, and then finds nothing to do', async () => {
    const first = await plan()
    expect(first.percent).to.equal(0)
    await apply(first)
    expect(fake.calls.filter((call) => call.startsWith('change'))).to.have.length(1)
    expect(isEmpty(await plan())).to.equal(true)
    expect((await plan()).existing).to.deep.equal({ records: 12, checks: 8 })
  })

  it('lets no record depend on a check that has not looked yet', async () => {
    const attached: boolean[] = []
    fake.before = (call) => {
      if (call.startsWith('change') || call === 'createCheck CALCULATED')
        attached.push(time.now >= fake.resultsAfter)
    }
    await apply(await plan())
    expect(attached).to.deep.equal([true, true, true])
  })

  it('changes no record when checks get no results, and goes on when they have them', async () => {
    fake.resultsAfter = 1_000_000
    const error = await failure(apply(await plan()))
    expect(error).to.be.instanceOf(ApplyError)
    expect(error.message).to.match(/^no results of 6 health checks within 300 s: .*; no record was changed$/)
    expect(await fake.records(zone.id)).to.have.length(2)
    fake.resultsAfter = 0
    const again = await plan()
    expect(again.checks.filter(({ action }) => action === 'create')).to.have.length(2)
    await apply(again)
    expect(isEmpty(await plan())).to.equal(true)
  })

  it('goes on from wherever it was cut off, without anything twice', async () => {
    let calls = 0
    fake.before = () => calls++
    await apply(await plan())
    const all = calls
    for (let cut = 1; cut < all; cut++) {
      time = new VirtualTime()
      fake = new FakeRoute53(() => time.now)
      zone = fake.addZone(zoneName)
      let left = cut
      const killed = await plan()
      // What was asked for is done; that it was done is not heard any more.
      fake.after = () => {
        if (--left <= 0) throw new Error('killed')
      }
      await over(applyPlan(fake, killed, { timers: new VirtualTimers(time), say: () => undefined })).catch(
        () => undefined,
      )
      fake.after = undefined
      const half = await fake.records(zone.id)
      expect([2, half.length]).to.include(half.length)
      await apply(await plan())
      expect(isEmpty(await plan()), `cut after ${cut} calls`).to.equal(true)
      expect(await fake.checks()).to.have.length(8)
      expect(await fake.records(zone.id)).to.have.length(2 + 12 + 8)
    }
  })

  it('repairs what was changed by hand, and calls it drift', async () => {
    await apply(await plan())
    const [record] = await at('dc02-app1')
    const byHand = { ...record, ResourceRecords: [{ Value: '192.0.2.99' }] }
    await fake.change(zone.id, [remove(record), create(byHand)], '')
    const drifted = await plan()
    expect(drifted.names.map(({ name }) => name)).to.deep.equal([`dc02-app1.${zoneName}`])
    expect(drifted.names[0].records.map(({ action, drift }) => [action, drift])).to.deep.equal([
      ['update', true],
    ])
    await apply(drifted)
    expect(await at('dc02-app1')).to.deep.equal([record])
  })

  it('does not call a change of the inventory drift', async () => {
    await apply(await plan())
    const next = await plan(sampleTree({ ttl: 30 }))
    const steps = next.names.flatMap(({ records }) => records)
    expect(steps.map(({ drift }) => drift)).to.deep.equal(steps.map(() => false))
    expect(next.touched.records).to.equal(6)
    expect(next.percent).to.equal(50)
  })

  it('refuses names that someone else has, and touches nothing else of theirs', async () => {
    const theirs = [
      address(`mqtt.${zoneName}`, '192.0.2.200'),
      address(`www.${zoneName}`, '192.0.2.201'),
      { ...address(`dc01.${zoneName}`, 'other.example.org'), Type: 'CNAME' as const },
    ]
    await fake.change(zone.id, theirs.map(create), '')
    const refused = await plan()
    expect(refused.conflicts.map(({ name, type }) => [name, type])).to.deep.equal([
      [`mqtt.${zoneName}`, 'A'],
      [`dc01.${zoneName}`, 'CNAME'],
    ])
    const adopting = await plan(sampleTree(), true)
    expect(adopting.conflicts).to.deep.equal([])
    await apply(adopting)
    expect(isEmpty(await plan())).to.equal(true)
    expect((await at('www'))[0]).to.deep.equal(theirs[1])
    expect((await at('dc01')).map(({ Type }) => Type)).to.deep.equal(['A', 'A'])
  })

  it('leaves names and checks of another cell in the same zone alone', async () => {
    await apply(await plan())
    const other = makePlan(sampleTree(), await readLive(fake, zone, 'other'), { cell: 'other' })
    expect(other.conflicts.map(({ what }) => what)).to.include("the name is cell seed's, not other's")
    expect(other.existing).to.deep.equal({ records: 0, checks: 0 })
    expect(other.checks.every(({ action }) => action === 'create')).to.equal(true)
  })

  it('keeps a TXT of someone else at a name of ours', async () => {
    await apply(await plan())
    const txt = { ...address(`mqtt.${zoneName}`, '"v=something"'), Type: 'TXT' as const }
    await fake.change(zone.id, [create(txt)], '')
    expect(isEmpty(await plan())).to.equal(true)
    await apply(await plan({ zone: zoneName, records: [], checks: [] }))
    expect((await fake.records(zone.id)).map(({ Type }) => Type)).to.have.members(['NS', 'SOA', 'TXT'])
    expect(await fake.checks()).to.deep.equal([])
  })

  it('deletes a check last, and never one that someone else uses', async () => {
    await apply(await plan())
    const counted = (await fake.checks()).find(({ config }) => config.Type === 'CALCULATED')
    const theirs = address(`www.${zoneName}`, '192.0.2.201', { HealthCheckId: counted?.id })
    await fake.change(zone.id, [create(theirs)], '')
    const empty = await plan({ zone: zoneName, records: [], checks: [] })
    expect(empty.percent).to.equal(100)
    expect(empty.notes).to.have.length(4)
    expect(empty.notes[0]).to.match(/stays: www\.iot\.example\.org A needs it, which is not in the plan$/)
    await apply(empty)
    expect(await fake.checks()).to.have.length(4)
  })

  it('changes an endpoint in place, and adds a checker only after it has looked', async () => {
    await apply(await plan())
    const tree = sampleTree({ secret: 'other' })
    const rotated = await plan(tree)
    expect(rotated.checks.map(({ action }) => action)).to.deep.equal(Array(6).fill('update'))
    expect(rotated.percent).to.equal(75)
    await apply(rotated)
    expect(isEmpty(await plan(tree))).to.equal(true)

    const more: RecordTree = {
      ...tree,
      checks: tree.checks.flatMap((one) =>
        one.kind === 'count' && one.name === 'dc01'
          ? [
              { name: 'dc01@c4', kind: 'http', address: '203.0.113.9', port: 8053, path: '/x' } as const,
              { ...one, children: [...one.children, 'dc01@c4'] },
            ]
          : [one],
      ),
    }
    const begun = time.now
    fake.before = (call) => {
      if (call.startsWith('updateCheck')) expect(time.now - begun).to.be.at.least(fake.resultsAfter)
    }
    await apply(await plan(more))
    expect(isEmpty(await plan(more))).to.equal(true)
  })

  it('makes a check anew that is gone, or that cannot become what is wanted', async () => {
    await apply(await plan())
    const [{ HealthCheckId: id = '', ...record }] = await at('dc02')
    await fake.change(zone.id, [remove({ ...record, HealthCheckId: id }), create(record)], '')
    await fake.deleteCheck(id)
    const missing = await plan()
    expect(missing.checks.map(({ action, name }) => `${action} ${name}`)).to.deep.equal(['create dc02'])
    await apply(missing)
    expect(isEmpty(await plan())).to.equal(true)
  })

  it('has somebody else change a check or a record meanwhile, and overwrites neither', async () => {
    await apply(await plan())
    const next = await plan(sampleTree({ secret: 'other', ttl: 30 }))
    const [check] = await fake.checks()
    await fake.updateCheck(check.id, check.version, { ...check.config, Disabled: true })
    const first = await failure(apply(next))
    expect(first.message).to.match(/^check dc01@c1: somebody else changed it a moment ago$/)

    const ttl = await plan(sampleTree({ ttl: 30 }))
    const [record] = await at('dc02')
    await fake.change(zone.id, [remove(record), create({ ...record, Weight: 99 })], '')
    const second = await failure(apply(ttl))
    expect(second.message).to.match(
      /^dc02\.iot\.example\.org A dc02 dc02-app1: somebody else changed it since it was read; no record was changed$/,
    )
    expect((await at('dc02'))[0].Weight).to.equal(99)
  })

  it('waits when it was too fast, and gives up after a minute', async () => {
    let refusals = 5
    fake.before = (call) => {
      if (refusals-- > 0 && !call.startsWith('change')) throw new Route53Error('Throttling', 'Rate exceeded')
    }
    const wanted = makePlan(
      sampleTree(),
      { zone, zoneTags: {}, records: [], checks: [], checkTags: new Map() },
      { cell },
    )
    await apply(wanted)
    expect(isEmpty(await plan())).to.equal(true)

    const next = await plan(sampleTree({ ttl: 30 }))
    let tries = 0
    fake.before = (call) => {
      if (!call.startsWith('change')) return
      tries++
      throw new Route53Error('PriorRequestNotComplete', 'still processing a prior request')
    }
    const begun = time.now
    const error = await failure(apply(next))
    expect([(error as Route53Error).code, tries]).to.deep.equal(['PriorRequestNotComplete', 8])
    expect(time.now - begun).to.be.within(20_000, 70_000)
  })

  it('does not send a batch twice when its answer is lost, and says so', async () => {
    await apply(await plan())
    const next = await plan(sampleTree({ ttl: 30 }))
    fake.after = (call) => {
      if (call.startsWith('change')) throw new Route53Error('Unreachable', 'ECONNRESET', { refused: false })
    }
    const error = await failure(apply(next))
    expect(error.message).to.equal(
      'the answer of Route 53 was lost (ECONNRESET): the batch is done whole, or not at all',
    )
    fake.after = undefined
    expect(isEmpty(await plan(sampleTree({ ttl: 30 })))).to.equal(true)
  })

  it('refuses a tree that Route 53 cannot serve, whatever is there', async () => {
    const tree = sampleTree()
    const [first, ...others] = tree.checks
    const bad: RecordTree = {
      ...tree,
      records: [...tree.records, tree.records[0], { ...tree.records[0], name: 'mqtt.example.net' }],
      checks: [{ ...first, address: '10.0.0.1' } as RecordTree['checks'][number], ...others],
    }
    const error = await failure(plan(bad))
    expect(error).to.be.instanceOf(TreeError)
    expect(error.message.split('\n')).to.deep.equal([
      'mqtt.iot.example.org A mqtt continent-EU: is there twice',
      'mqtt.example.net: is not in iot.example.org',
      "check dc01@c1: 10.0.0.1 is a private address, which Route 53 can't ask; give the checker a public one",
    ])
  })
})
