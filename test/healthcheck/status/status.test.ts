import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { down, plan, viewOf, World } from './fixture.ts'

const minute = 60
const hour = 3600

describe('Status page: what happened', () => {
  let world: World
  beforeEach(() => {
    world = new World()
    world.look()
  })
  afterEach(() => world.remove())

  const titles = (): string[] =>
    world.status
      .report()
      .incidents.map(({ title, closedAt }) => `${closedAt === null ? 'open' : 'over'}: ${title}`)
  const dc = (name: string) => {
    const found = world.status.report().dcs.find((one) => one.name === name)
    if (found === undefined) throw new Error(name)
    return found
  }

  it('an outage of a datacenter is an incident as long as it lasts, in words for customers', () => {
    world.pass(hour)
    expect(world.status.report()).to.include({ overall: 'ok', text: 'Everything works' })
    world.view = viewOf({ dc03: down, 'dc03-app1': down, 'dc03-app2': down })
    world.pass(10 * minute)
    expect(titles()).to.deep.equal(['open: Nürnberg is out'])
    expect(world.status.report().overall).to.equal('major')
    world.view = viewOf()
    world.pass(2 * minute)
    expect(titles()).to.deep.equal(['over: Nürnberg is out'])
    expect(world.status.report().overall).to.equal('ok')
    const [{ updates }] = world.status.report().incidents
    expect(updates.map(({ text }) => text.split('.')[0])).to.deep.equal([
      'Our datacenter in Nürnberg does not answer',
      'Nürnberg answers again',
    ])
    const share = dc('dc03').availability ?? 0
    expect(share).to.be.closeTo(62 / 72, 0.01)
    expect(dc('dc01').availability).to.equal(1)
    expect(dc('dc03').days.at(-1)).to.include({ worst: 'down' })
  })

  it('that comes back soon is the same one; what flaps does not fill the page', () => {
    for (let i = 0; i < 40; i++) {
      world.view = viewOf(i % 2 === 0 ? { dc03: down } : {})
      world.pass(3 * minute)
    }
    expect(titles()).to.deep.equal(['over: Nürnberg is out'])
    expect(world.status.report().incidents[0].updates).to.have.length(20)
    world.pass(hour)
    world.view = viewOf({ dc03: down })
    world.pass(minute)
    expect(titles()).to.deep.equal(['open: Nürnberg is out', 'over: Nürnberg is out'])
  })

  it('a host is a small incident, unless its datacenter is out, of which it is a part', () => {
    world.view = viewOf({ 'dc01-app2': down })
    world.pass(minute)
    expect(titles()).to.deep.equal(['open: A server in Montreal is out'])
    expect(world.status.report()).to.include({ overall: 'minor' })
    world.view = viewOf({ dc01: down, 'dc01-app1': down, 'dc01-app2': down })
    world.pass(5 * minute)
    expect(titles()).to.deep.equal(['open: Montreal is out', 'open: A server in Montreal is out'])
  })

  it('all out is said as it is', () => {
    world.view = viewOf({ dc01: down, dc02: down, dc03: down })
    world.pass(minute)
    expect(titles()).to.deep.equal(['open: The service is not reachable'])
    expect(world.status.report().overall).to.equal('critical')
  })

  it('checkers that see nothing say so, and end no incident that they can not see', () => {
    world.view = viewOf({ dc03: down })
    world.pass(minute)
    world.view = viewOf({}, { speaking: ['c1', 'c2'] })
    world.pass(10 * minute)
    expect(titles()).to.deep.equal(['open: The state of the service is not known', 'open: Nürnberg is out'])
    expect(world.status.report().overall).to.equal('unknown')
    expect(dc('dc01').state).to.equal('unknown')
    world.view = viewOf()
    world.pass(3 * minute)
    expect(titles()).to.deep.equal(['over: The state of the service is not known', 'over: Nürnberg is out'])
  })

  it('planned maintenance is no incident and costs no availability, but all out is', () => {
    const now = world.clock.now()
    const plans = [
      plan({ subjects: ['dc03'], startsAt: now, endsAt: now + hour * 1000, description: 'Nothing is lost.' }),
    ]
    world.view = viewOf({ dc03: down, 'dc03-app1': down }, { plans })
    world.pass(30 * minute)
    expect(titles()).to.deep.equal([])
    expect(world.status.report()).to.include({ overall: 'maintenance' })
    expect(dc('dc03')).to.include({ state: 'maintenance', availability: null })
    expect(world.page()).to.include('New disks (under way)').and.include('Nothing is lost.')
    expect(world.page(), 'not for customers').to.not.include('ann@example.com')
    world.view = viewOf({ dc01: down, dc02: down, dc03: down }, { plans })
    world.pass(minute)
    expect(titles()).to.deep.equal(
      ['open: The service is not reachable', 'open: Miami is out', 'open: Montreal is out'].slice(0, 1),
    )
  })

  it('maintenance that takes too long becomes an incident when its window ends', () => {
    const now = world.clock.now()
    world.view = viewOf(
      { dc03: down },
      { plans: [plan({ subjects: ['dc03'], startsAt: now, endsAt: now + 600_000 })] },
    )
    world.pass(9 * minute)
    expect(titles()).to.deep.equal([])
    world.pass(2 * minute)
    expect(titles()).to.deep.equal(['open: Nürnberg is out'])
  })

  it('a datacenter that a person has taken out is in maintenance, not out', () => {
    world.view = viewOf({ dc02: { serving: false, percent: 0, reason: 'out by ann: kernel' } })
    world.pass(minute)
    expect(dc('dc02').state).to.equal('maintenance')
    expect(titles()).to.deep.equal([])
  })

  it('is known after a restart, and nobody claims to know what was while it was away', () => {
    world.view = viewOf({ dc03: down })
    world.pass(10 * minute)
    world.restart('stop')
    world.time.run(20 * minute * 1000)
    world.look()
    world.pass(minute)
    expect(titles()).to.deep.equal(['open: Nürnberg is out'])
    world.view = viewOf()
    world.pass(2 * minute)
    world.restart('kill')
    world.look()
    expect(titles()).to.deep.equal(['over: Nürnberg is out'])
    expect(dc('dc01').availability).to.equal(1)
  })

  it('a process that stood still has seen nothing meanwhile', () => {
    world.pass(10)
    world.time.run(3 * hour * 1000)
    world.look()
    world.pass(10)
    const { seconds } = JSON.parse(JSON.stringify({ seconds: dc('dc01').days.at(-1) }))
    expect(seconds.availability).to.equal(1)
    world.status.close()
    const { history } = JSON.parse(readFileSync(join(world.directory, 'status.json'), 'utf8'))
    expect(history.dc01.days['2026-11-21'][4]).to.equal(3 * hour)
    expect(history.dc01.days['2026-11-21'][0]).to.equal(20)
  })

  it('a damaged file is put aside, and the checker goes on', () => {
    world.status.close()
    const path = join(world.directory, 'status.json')
    writeFileSync(path, '{"version":1,"history":{"dc01":')
    world.restart('kill')
    world.look()
    expect(readFileSync(`${path}.bad`, 'utf8')).to.include('dc01')
    expect(titles()).to.deep.equal([])
  })

  it('of many days and outages stays small', () => {
    for (let day = 0; day < 200; day++) {
      world.view = viewOf(day % 2 === 0 ? { [`dc0${1 + (day % 3)}`]: down } : {})
      world.look()
      world.clock.skew += 12 * hour * 1000
      world.pass(2 * minute)
      world.status.result({
        probe: 'rest-read',
        weight: 'serve',
        host: 'dc01-app1',
        dc: 'dc01',
        ok: true,
        at: world.clock.now(),
        ms: 42,
      })
    }
    world.status.close()
    expect(statSync(join(world.directory, 'status.json')).size).to.be.below(100_000)
    const { dcs, incidents } = world.status.report()
    expect(dcs[0].days).to.have.length(90)
    expect(dcs[0].responses.filter((one) => one !== null)).to.have.length(2)
    expect(incidents.every(({ openedAt }) => world.clock.now() - openedAt < 91 * 24 * hour * 1000)).to.equal(
      true,
    )
  })

  it('a clock that was wrong for a while does not cost the history', () => {
    world.pass(minute)
    world.clock.skew = 4 * 365 * 24 * hour * 1000
    world.pass(minute)
    world.clock.skew = 0
    world.pass(minute)
    const today = dc('dc01').days.at(-1)
    expect(today).to.deep.equal({ day: '2026-11-21', availability: 1, worst: 'up' })
  })

  it('midnight divides what has passed between two looks', () => {
    const late = new World({}, Date.UTC(2026, 10, 21, 23, 59, 50))
    late.look()
    late.time.run(20_000)
    late.look()
    late.status.close()
    const { history } = JSON.parse(readFileSync(join(late.directory, 'status.json'), 'utf8'))
    expect(history.dc01.days).to.deep.equal({
      '2026-11-21': [10, 0, 0, 0, 0],
      '2026-11-22': [10, 0, 0, 0, 0],
    })
    late.remove()
  })

  it('a month says how much of what was promised is left', () => {
    world.pass(hour)
    world.view = viewOf({ dc01: down, dc02: down, dc03: down })
    world.pass(10 * minute)
    const [{ month, leftSeconds }] = world.status.report().objective.months
    // 0.1 % of November is 43 min 12 s.
    expect([month, leftSeconds]).to.deep.equal(['2026-11', 2592 - 600])
    expect(world.metrics.render()).to.match(/cinque_status_availability\{subject="service"\} 0\.85\d+\n/)
  })

  it('is written for another web server, whole or not at all, and a directory that is away is no harm', () => {
    const publish = mkdtempSync(join(tmpdir(), 'cinque-publish-'))
    const here = new World({ publish: join(publish, 'www') })
    here.look()
    for (const name of ['index.html', 'status.json', 'feed.xml'])
      expect(readFileSync(join(publish, 'www', name), 'utf8'), name).to.not.equal('')
    rmSync(publish, { recursive: true })
    writeFileSync(publish, 'a file is in its place')
    here.view = viewOf({ dc03: down })
    here.pass(2 * minute)
    expect(here.metrics.render()).to.match(/cinque_status_unwritten [1-9]/)
    rmSync(publish)
    here.pass(2 * minute)
    expect(readFileSync(join(publish, 'www', 'index.html'), 'utf8')).to.include('Nürnberg is out')
    expect(here.metrics.render()).to.include('cinque_status_unwritten 0\n')
    here.remove()
    rmSync(publish, { recursive: true })
  })
})
