import { expect } from 'chai'
import { describe, it } from 'mocha'
import { answers, checkHealth } from '#healthcheck/dns/evaluator.ts'
import type { RecordTree } from '#healthcheck/dns/record-set.ts'
import { nameServersOf, recordTree } from '#healthcheck/dns/tree.ts'
import { dnsView } from '#healthcheck/dns/view.ts'
import type { Standing } from '#healthcheck/votes/vote.ts'
import { devInventory } from '#platform/inventory/dev.ts'
import { clientPlaces, dcOfAddress, dcStates, exampleCell, placeName } from './cell.ts'

const zone = 'iot.example.org'
const mqtt = { name: `mqtt.${zone}`, type: 'A' } as const
const up = (): boolean => true

function shares(
  tree: RecordTree,
  name: string,
  healthy: (check: string) => boolean = up,
): Record<string, number> {
  const place = { continent: 'NA' } as const
  return Object.fromEntries(
    answers(tree, { name, type: 'A' }, place, healthy).map(({ values, share }) => [
      values.join(),
      Math.round(share * 100),
    ]),
  )
}

function standing(subject: string, more: Partial<Standing>): Standing {
  return { subject, state: 'up', serving: true, percent: 100, reason: '', ...more }
}

describe('the record tree of a cell', () => {
  it('leads every client to the first DC of its chain that is up, in all 32 states and from everywhere', () => {
    const cell = exampleCell()
    const tree = recordTree(cell, { secret: 's3cret' })
    const live = new Set(cell.dcs.filter(({ kind }) => kind === 'live').map(({ name }) => name))
    let cases = 0
    for (const state of dcStates(cell)) {
      for (const place of clientPlaces) {
        const everybodyUp = answers(tree, mqtt, place, up)
        const home = dcOfAddress(cell, everybodyUp[0].values[0])
        const outcomes = answers(tree, mqtt, place, (check) => state.has(check))
        const dcs = new Set(outcomes.flatMap(({ values }) => values.map((one) => dcOfAddress(cell, one))))
        const what = `${placeName(place)} with ${[...state].join()}`
        expect(dcs, what).to.have.length(1)
        const dc = [...dcs][0] ?? ''
        if (state.size > 0) expect(state.has(dc), `${what}: ${dc} is down`).to.equal(true)
        else expect(dc, `${what}: all down is all up`).to.equal(home)
        if (!live.has(dc))
          expect(
            [...live].some((one) => state.has(one)),
            what,
          ).to.equal(false)
        if (home !== undefined && state.has(home)) expect(dc, what).to.equal(home)
        expect(outcomes.reduce((sum, { share }) => sum + share, 0)).to.be.closeTo(1, 1e-9)
        cases++
      }
    }
    expect(cases).to.equal(32 * clientPlaces.length)
  })

  it('has the same answers for every name of the service, and a name for each DC, app host and checker', () => {
    const tree = recordTree(exampleCell(), { secret: 's3cret' })
    expect(shares(tree, `api.${zone}`)).to.deep.equal(shares(tree, `mqtt.${zone}`))
    expect(shares(tree, `dcb2.${zone}`)).to.deep.equal({ '203.0.113.221': 50, '203.0.113.222': 50 })
    expect(shares(tree, `dc03-app1.${zone}`)).to.deep.equal({ '203.0.113.21': 100 })
    expect(shares(tree, `dcb1-check1.${zone}`)).to.deep.equal({ '203.0.113.131': 100 })
    expect(shares(tree, `dc01-db1.${zone}`)).to.deep.equal({})
  })

  it('takes a DC out on the votes of three checkers, and on no fewer; a silent checker says up', () => {
    const cell = exampleCell()
    const tree = recordTree(cell, { secret: 's3cret' })
    const first = cell.hosts.find(({ roles }) => roles.includes('checker'))
    expect(tree.checks.find(({ name }) => name === 'dc01@dc01-check1')).to.deep.equal({
      name: 'dc01@dc01-check1',
      kind: 'http',
      address: first?.address,
      port: 8053,
      path: '/hc/s3cret/dc01/down',
    })
    for (const voters of [0, 1, 2, 3, 4, 5]) {
      const sayDown = new Set(['dc01', 'dc02', 'dc03', 'dcb1', 'dcb2'].slice(0, voters))
      const health = checkHealth(
        tree,
        ({ name }) => name.startsWith('dc01@') && sayDown.has(name.slice('dc01@'.length).split('-')[0]),
      )
      expect(health('dc01'), `${voters} votes`).to.equal(voters < 3)
      expect(health('dc02')).to.equal(true)
    }
  })

  it('with checks for hosts: a host is out by its own votes, and with its DC', () => {
    const tree = recordTree(exampleCell(), { secret: 's3cret', hostChecks: true })
    const health = (subject: string): ((check: string) => boolean) =>
      checkHealth(tree, ({ name }) => name.startsWith(`${subject}@`))
    expect(shares(tree, `dc01.${zone}`, health('dc01-app2'))).to.deep.equal({ '192.0.2.21': 100 })
    expect(health('dc01')('dc01-app2')).to.equal(false)
    expect(health('dc01')('dc02-app1')).to.equal(true)
  })

  it('follows weights, percents of hosts, and gives what a DC does not get to the next of the chain', () => {
    const cell = exampleCell()
    for (const host of cell.hosts) if (host.name === 'dc01-app2') host.weight = 30
    expect(shares(recordTree(cell, { secret: '-' }), `mqtt.${zone}`)).to.deep.equal({
      '192.0.2.21': 25,
      '192.0.2.22': 75,
    })
    const half = (subject: string): number => (subject === 'dc01-app2' ? 0 : subject === 'dc01' ? 40 : 100)
    const tree = recordTree(cell, { secret: '-', percent: half })
    expect(shares(tree, `mqtt.${zone}`)).to.deep.equal({
      '192.0.2.21': 40,
      '198.51.100.21': 30,
      '198.51.100.22': 30,
    })
    expect(shares(tree, `mqtt.${zone}`, (check) => check === 'dc01')).to.deep.equal({ '192.0.2.21': 100 })
  })

  it('never loses a DC to a percent: at 0 it answers when all others are down', () => {
    const tree = recordTree(exampleCell(), { secret: '-', percent: (one) => (one === 'dc01' ? 0 : 100) })
    expect(Object.keys(shares(tree, `mqtt.${zone}`))).to.deep.equal(['198.51.100.21', '198.51.100.22'])
    expect(shares(tree, `mqtt.${zone}`, (check) => check === 'dc01')).to.deep.equal({
      '192.0.2.21': 50,
      '192.0.2.22': 50,
    })
  })

  it('has IPv6 addresses in a tree of their own, without the DCs that have none', () => {
    const cell = exampleCell()
    for (const host of cell.hosts) {
      if (host.dc === 'dc03' || host.dc === 'dcb1') host.address = `2001:db8::${host.name.replace(/\D/g, '')}`
    }
    const tree = recordTree(cell, { secret: '-' })
    const of = (type: 'A' | 'AAAA', down: string): string[] =>
      answers(tree, { ...mqtt, type }, { continent: 'NA' }, (check) => check !== down).flatMap(
        (one) => one.values,
      )
    expect(of('AAAA', '').map((one) => dcOfAddress(cell, one))).to.deep.equal(['dc03', 'dc03'])
    expect(of('AAAA', 'dc03').map((one) => dcOfAddress(cell, one))).to.deep.equal(['dcb1', 'dcb1'])
    expect(of('A', 'dc01').map((one) => dcOfAddress(cell, one))).to.deep.equal(['dc02', 'dc02'])
  })

  it('is small enough for one change batch of Route 53, and names are unique by id', () => {
    const { records } = recordTree(exampleCell(), { secret: '-' })
    const keys = records.map(({ name, type, id }) => `${name} ${type} ${id}`)
    expect(new Set(keys)).to.have.length(keys.length)
    expect(records.length).to.be.below(500)
  })

  it('refuses an inventory without a zone', () => {
    expect(() => recordTree(devInventory(), { secret: '-' })).to.throw(/has no dns: give it a zone/)
    expect(nameServersOf(devInventory())).to.deep.equal([])
    expect(nameServersOf(exampleCell())).to.deep.equal(
      ['dc01', 'dc02', 'dc03', 'dcb1', 'dcb2'].map((dc) => `${dc}-check1.${zone}`),
    )
  })
})

describe('the view of the zone at this moment', () => {
  it('has everything up at first, then what is decided about DCs and hosts', () => {
    const view = dnsView(exampleCell())
    const now = (): Record<string, number> => shares(view.tree, `mqtt.${zone}`, view.healthy)
    expect(now()).to.deep.equal({ '192.0.2.21': 50, '192.0.2.22': 50 })
    view.update([standing('dc01-app1', { state: 'down', serving: false })])
    expect(now()).to.deep.equal({ '192.0.2.22': 100 })
    view.update([standing('dc01', { state: 'down', serving: false })])
    expect(now()).to.deep.equal({ '198.51.100.21': 50, '198.51.100.22': 50 })
    view.update([standing('dc01', { percent: 50 })])
    expect(now()).to.deep.equal({
      '192.0.2.21': 25,
      '192.0.2.22': 25,
      '198.51.100.21': 25,
      '198.51.100.22': 25,
    })
    view.update([])
    expect(now()).to.deep.equal({ '192.0.2.21': 50, '192.0.2.22': 50 })
  })

  it('goes to the next DC when all app hosts of one are out, without a word about the DC', () => {
    const view = dnsView(exampleCell())
    view.update(['dc01-app1', 'dc01-app2'].map((one) => standing(one, { serving: false })))
    expect(Object.keys(shares(view.tree, `mqtt.${zone}`, view.healthy))).to.deep.equal([
      '198.51.100.21',
      '198.51.100.22',
    ])
  })

  it('works in a cell without checkers of its own', () => {
    const view = dnsView({ ...devInventory(), dns: { zone: 'cell.test', names: ['mqtt'], ttl: 60 } })
    view.update([standing('dc01', { serving: false })])
    expect(shares(view.tree, 'mqtt.cell.test', view.healthy)).to.deep.equal({ '127.77.2.1': 100 })
  })
})
