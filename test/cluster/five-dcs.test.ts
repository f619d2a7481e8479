import { expect } from 'chai'
import type { Cell, CellDc } from '#scripts/cell/cell.ts'
import type { Part } from '#scripts/cell/part.ts'
import { eventually, lifetime } from '../durability/seed.ts'
import { type FiveDcs, startFiveDcs } from './five-dcs.ts'
import { Fleet } from './fleet.ts'
import { Probe } from './probe.ts'
import { converged, visit } from './served.ts'

/** The first time fetches and builds the engines. */
const START_MS = 600_000
const STORY_MS = 240_000
/** Longest time without an answer in a DC that nothing happens to: processes of five DCs start beside it on a few cores. */
const ANSWERS_MS = 15_000
const FROZEN_MS = 9000
const CUT_MS = 8000
const LOST_MS = 15_000
/** Promised are 2 s after contact. */
const ONE_HOLDER_MS = 20_000

const DEFERRED = 'may be held back'

describe('five DCs under load, on Cassandra and NATS', function () {
  this.timeout(STORY_MS)
  let running: FiveDcs
  let cell: Cell
  let fleet: Fleet
  let probes: Probe[] = []

  before(async function () {
    this.timeout(START_MS)
    running = await startFiveDcs(() => undefined)
    cell = running.cell
    fleet = new Fleet(cell)
    await fleet.begin()
    probes = cell.dcs.map((dc) => new Probe(cell, dc))
    await Promise.all(probes.map((probe) => probe.start()))
  })

  after(async function () {
    this.timeout(60_000)
    fleet?.stop()
    await Promise.all(probes.map((probe) => probe.stop()))
    await running?.end()
  })

  afterEach(() => {
    fleet.forgive()
    for (const probe of probes) probe.reset()
  })

  /** All DCs but those to which something happens have answered all along. */
  function expectAnswers(...except: CellDc[]): void {
    for (const probe of probes) {
      if (except.includes(probe.dc)) continue
      const longest = probe.takeLongest()
      expect(longest, `${probe.dc.name} was silent; ${probe.failures.slice(-5).join(', ')}`).to.be.below(
        ANSWERS_MS,
      )
    }
  }

  it('carry every message of every DC to every DC, once and in order', async () => {
    await lifetime(2000)
    await fleet.settle()
    expect(fleet.violations('never held back')).to.deep.equal([])
    expect(fleet.acknowledged).to.be.above(0)
    await converged(cell, 'state/#', [])
    expectAnswers()
  })

  it('lose, double and reorder nothing when a broker is killed', async () => {
    const [dc] = cell.dcs
    await crash(brokerOf(dc))
    await fleet.goHome()
    await fleet.settle()
    expect(fleet.violations('never held back')).to.deep.equal([])
    expectAnswers(dc)
  })

  it('lose, double and reorder nothing when a broker stands still, its clients go elsewhere, and it goes on', async () => {
    const dc = cell.dcs[1]
    dc.freeze('broker')
    await lifetime(FROZEN_MS)
    dc.thaw('broker')
    await fleet.goHome()
    await fleet.settle()
    expect(fleet.violations('never held back')).to.deep.equal([])
    expectAnswers(dc)
  })

  it('let a client move from DC to DC with everything that is its', async () => {
    const { home, client } = fleet.traveller
    for (const dc of [...cell.dcs.slice(1), cell.dcs[0]]) {
      home.moveTo(dc)
      client.takeOver()
      await client.joined()
      await lifetime(500)
    }
    await fleet.settle()
    expect(fleet.violations('never held back')).to.deep.equal([])
    expectAnswers()
  })

  it('go on on both sides of a cut, and agree after it', async () => {
    if (cell.wan === 'none') return
    const [here, there] = [cell.dcs[0], cell.dcs[1]]
    const [one, other] = [await visit(here, 'editor-1'), await visit(there, 'editor-2')]
    await one.publishAsync('state/x', 'before', { qos: 1, retain: true })
    await one.publishAsync('state/gone', 'before', { qos: 1, retain: true })
    await converged(cell, 'state/#', ['state/gone=before', 'state/x=before'])

    await there.cut()
    const cutAt = performance.now()
    await other.publishAsync('state/x', 'there', { qos: 1, retain: true })
    await other.publishAsync('state/there', 'there', { qos: 1, retain: true })
    await one.publishAsync('state/gone', '', { qos: 1, retain: true })
    await one.publishAsync('state/x', 'here', { qos: 1, retain: true })
    const first = await visit(there, 'twin')
    const second = await visit(here, 'twin')
    await lifetime(CUT_MS - (performance.now() - cutAt))
    expect([first.connected, second.connected], 'both sides serve while they are cut').to.deep.equal([
      true,
      true,
    ])
    await there.heal()
    await eventually(
      () => `first ${first.connected}, second ${second.connected}`,
      () => !first.connected && second.connected,
      ONE_HOLDER_MS,
    )
    await fleet.settle()
    expect(fleet.violations(DEFERRED)).to.deep.equal([])
    await converged(cell, 'state/#', ['state/there=there', 'state/x=here'])
    expectAnswers()
    await Promise.all([one, other, second].map((client) => client.endAsync(true)))
  })

  it('lose nothing when a whole DC is lost and comes back', async () => {
    const dc = cell.dcs[2]
    await dc.kill()
    await lifetime(LOST_MS)
    expectAnswers(dc)
    const moved = [...fleet.publishers, ...fleet.subscribers].filter(({ client }) => !client.connected)
    expect(
      moved.map(({ client }) => client.id),
      'clients of the lost DC that found no other',
    ).to.deep.equal([])
    await dc.start()
    await fleet.settle()
    expect(fleet.violations(DEFERRED)).to.deep.equal([])
    await converged(cell, 'state/#')
    await fleet.goHome()
    await fleet.settle()
    expectAnswers(dc)
  })
})

function brokerOf(dc: CellDc): Part {
  return dc.parts('broker')[0]
}

/** kill -9 without asking; the launcher starts it again. */
async function crash(part: Part): Promise<void> {
  const { pid } = part
  if (pid === null) throw new Error(`${part.options.name} does not run`)
  process.kill(pid, 'SIGKILL')
  await eventually(
    () => `${part.options.name} is ${part.state}`,
    () => part.pid !== pid && part.state === 'running',
    60_000,
  )
}
