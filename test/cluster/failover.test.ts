import { expect } from 'chai'
import type { Cell } from '#scripts/cell/cell.ts'
import { faults } from '../../bench/failover/faults.ts'
import { observe } from '../../bench/failover/observe.ts'
import { startWorldCell, World } from '../../bench/failover/world.ts'
import { temporaryFolder } from '../scripts/child.ts'

/** The first time fetches and builds the engines. */
const START_MS = 600_000
const STORY_MS = 600_000
const DEVICES = 20
const PACE_MS = 1000

/** Checkers quicker than the default, so that the story is short; what they decide is the same. */
const health = { interval: 2, up_after: 2, failback: [50, 100], failback_step: 2 }

/** Real processes, votes, DNS and devices that know nothing but a name. Other faults: test/healthcheck/failover.test.ts, `npm run bench:failover`. */
describe('five DCs, found by a name', function () {
  this.timeout(STORY_MS)
  let folder: ReturnType<typeof temporaryFolder>
  let cell: Cell
  let world: World
  const told: string[] = []

  before(async function () {
    this.timeout(START_MS)
    folder = temporaryFolder()
    cell = await startWorldCell({ directory: folder.path, health, dnsTtl: 5, say: (line) => told.push(line) })
    world = await World.start({ cell, devices: DEVICES, paceMs: PACE_MS, say: (line) => told.push(line) })
  })
  after(async function () {
    this.timeout(60_000)
    await world?.end()
    await cell?.kill()
    folder?.remove()
  })

  it('a DC dies: its devices go elsewhere by themselves, nothing that was acknowledged is lost, and it comes back step by step', async () => {
    const [fault] = faults.filter(({ name }) => name === 'dc')
    const { wrong, lost, devices, timeline } = await observe(world, fault, (line) => told.push(line))
    expect([wrong, lost], told.join('\n')).to.deep.equal([null, 0])
    expect(devices).to.be.greaterThan(0)
    expect(timeline.has('users')).to.equal(true)
    const { standings } = await cell.statusWithStandings()
    // Degraded is what it may be for a while: what looks from DC to DC was without an answer.
    const out = standings?.subjects.filter(({ state, serving }) => state === 'down' || !serving)
    expect(standings?.subjects.length).to.equal(10)
    expect(out).to.deep.equal([])
  })
})
