import { expect } from 'chai'
import { lifetime } from '../durability/seed.ts'
import { eventually } from '../patience.ts'
import { crash, cutFor, loseDc, standStill, travel } from './faults.ts'
import { FiveDcs } from './five-dcs.ts'
import { visit } from './served.ts'

/** The first time fetches and builds the engines. */
const START_MS = 600_000
const STORY_MS = 600_000
/** Longer than clients wait for an answer, and than processes for each other. */
const FROZEN_MS = 9000
const CUT_MS = 8000
const LOST_MS = 12_000
/** Promised are 2 s after contact. */
const ONE_HOLDER_MS = 40_000

describe('five DCs under load, on Cassandra and NATS', function () {
  this.timeout(STORY_MS)
  let world: FiveDcs

  before(async function () {
    this.timeout(START_MS)
    world = await FiveDcs.start()
    await world.begin()
  })

  after(async function () {
    this.timeout(60_000)
    await world?.end()
  })

  it('carry every message of every DC to every DC, once and in order', async () => {
    await eventually(
      () => 'nothing is acknowledged',
      () => world.fleet.acknowledged > 20,
    )
    await world.check('order and once')
    await world.converged([])
  })

  it('lose, double and reorder nothing when a broker is killed', async () => {
    const [dc] = world.cell.dcs
    await crash(dc.parts('broker')[0])
    await world.fleet.goHome()
    await world.check('order and once', [dc])
  })

  it('lose, double and reorder nothing when a broker stands still and its clients go elsewhere', async () => {
    const dc = world.cell.dcs[1]
    await standStill(dc.parts('broker')[0], FROZEN_MS)
    await world.fleet.goHome()
    await world.check('order and once', [dc])
  })

  it('let a client move from DC to DC with everything that is its', async () => {
    await travel(world, 500)
    await world.check('order and once')
  })

  it('go on on both sides of a cut, and agree after it', async function () {
    if (world.cell.wan === 'none') {
      // Said by the launcher, too; the simulator cuts on every machine.
      console.log('      no packet filter here: nothing is cut')
      return
    }
    const [here, there] = world.cell.dcs
    const [one, other] = [await visit(here, 'editor-1'), await visit(there, 'editor-2')]
    await one.publishAsync('state/x', 'before', { qos: 1, retain: true })
    await one.publishAsync('state/gone', 'before', { qos: 1, retain: true })
    await world.converged(['state/gone=before', 'state/x=before'])

    const cut = cutFor(there, undefined, CUT_MS)
    await lifetime(500)
    await other.publishAsync('state/x', 'there', { qos: 1, retain: true })
    await other.publishAsync('state/there', 'there', { qos: 1, retain: true })
    await one.publishAsync('state/gone', '', { qos: 1, retain: true })
    await one.publishAsync('state/x', 'here', { qos: 1, retain: true })
    const first = await visit(there, 'twin')
    const second = await visit(here, 'twin')
    await cut
    await eventually(
      () => `twin: first ${first.connected}, second ${second.connected}`,
      () => !first.connected && second.connected,
      ONE_HOLDER_MS,
    )
    await world.check('nothing lost')
    await world.converged(['state/there=there', 'state/x=here'])
    for (const client of [one, other, second]) await client.endAsync(true)
  })

  it('lose nothing when a whole DC is lost and comes back', async () => {
    const dc = world.cell.dcs[2]
    const lost = loseDc(dc, LOST_MS)
    await eventually(
      () => 'clients of the lost DC find no other',
      () => world.fleet.clients.every(({ client, home }) => client.connected && home.dc !== dc),
    )
    await lost
    await world.fleet.goHome()
    await world.check('nothing lost', [dc])
    await world.converged()
    expect(world.silent([])).to.deep.equal([])
  })
})
