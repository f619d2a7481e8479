import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import type { RunningChecker } from '#healthcheck/checker/checker.ts'
import type { Standing } from '#healthcheck/votes/vote.ts'
import { StubResolver } from '#scripts/sim/stub-resolver.ts'
import { eventually } from '../patience.ts'
import { startFleetChecker } from './checkers.ts'
import { type Fault, type LightFleet, startLightFleet, type Where } from './light-fleet.ts'

const dnsPort = 15_353
/** A few seconds; on a machine that does other things as well, looks take long. */
const decidedMs = 90_000
/** European users, whose nearest DC is dc03. */
const european = '127.0.0.9'

/** What users lose if one of these fails: the way to a DC that works, or a DC that works all along. */
describe('failover, by what name servers answer', function () {
  this.timeout(300_000)
  let fleet: LightFleet
  const checkers = new Map<string, RunningChecker>()

  async function startCheckerOf(dc: string): Promise<void> {
    const name = `${dc}-check`
    const places = join(fleet.directory, 'places')
    writeFileSync(places, `${european}/32 EU\n`)
    const { address } = hostOf(name)
    const checker = await startFleetChecker(fleet, name, (config) => ({
      ...config,
      // One way of MQTT is enough here, and half of the work.
      probe: { ...config.probe, mqtt: ['tls'] },
      dns: { listen: `${address}:${dnsPort}`, places_file: places },
    }))
    checkers.set(name, checker)
    await checker.firstRound
  }
  async function endCheckerOf(dc: string): Promise<void> {
    await checkers.get(`${dc}-check`)?.close()
    checkers.delete(`${dc}-check`)
  }

  before(async () => {
    fleet = await startLightFleet({
      dcs: 3,
      hosts: 2,
      health: { interval: 2, quorum: 2, down_after: 2, up_after: 2, failback: [100] },
      dns: { ttl: 5 },
    })
    await Promise.all(['dc01', 'dc02', 'dc03'].map(startCheckerOf))
    await allWell()
  })
  after(async () => {
    await Promise.all(Array.from(checkers.values(), (checker) => checker.close()))
    await fleet?.close()
  })
  afterEach(async () => {
    await fleet.set({}, null)
    await allWell()
  })

  function hostOf(name: string): { readonly address: string } {
    return fleet.inventory.hosts.find((host) => host.name === name) ?? expect.fail(`no ${name}`)
  }
  /** Names of the hosts that Europeans are sent to by this name server; asked often, as hosts take turns. */
  async function given(dc: string): Promise<string[]> {
    const servers = [`${hostOf(`${dc}-check`).address}:${dnsPort}`]
    const asks = Array.from({ length: 12 }, () =>
      new StubResolver({ servers, from: european }).resolve('mqtt.light.test'),
    )
    const found = new Set((await Promise.all(asks)).flat())
    return fleet.inventory.hosts.filter(({ address }) => found.has(address)).map(({ name }) => name)
  }
  function standings(subject: string): (Standing | undefined)[] {
    return Array.from(checkers.values(), ({ voting }) => voting.standings().get(subject))
  }
  /** All checkers have this of a subject. */
  function allSay(subject: string, wanted: Partial<Standing>): Promise<void> {
    return eventually(
      () => `${subject}: ${JSON.stringify(standings(subject))}`,
      () =>
        standings(subject).every((one) =>
          Object.entries(wanted).every(([key, value]) => one?.[key as keyof Standing] === value),
        ),
      decidedMs,
    )
  }
  /** What each checker has heard of it from each, also from those that are outvoted. */
  function heard(subject: string): (string | undefined)[] {
    return Array.from(checkers.values()).flatMap(({ voting }) =>
      voting.snapshot().ballots.map(({ votes }) => votes.get(subject)?.verdict),
    )
  }
  async function allWell(): Promise<void> {
    const hosts = fleet.inventory.hosts.filter(({ roles }) => roles.includes('app')).map(({ name }) => name)
    for (const name of [...fleet.inventory.dcs.map((dc) => dc.name), ...hosts])
      await allSay(name, { state: 'up', serving: true, percent: 100 })
    // One vote for down that is left over, and the next fault has two.
    await eventually(
      () => `not all vote up: ${JSON.stringify(hosts.map(heard))}`,
      () => hosts.every((name) => heard(name).every((verdict) => verdict === 'up')),
      decidedMs,
    )
  }

  it('sends everybody to both hosts of the nearest DC while all is well', async () => {
    for (const dc of ['dc01', 'dc02', 'dc03']) expect(await given(dc)).to.deep.equal(['dc03-n1', 'dc03-n2'])
  })

  const moves: [what: string, where: Where, fault: Fault, out: string][] = [
    ['a DC is dead', { dc: 'dc03' }, 'closed', 'dc03'],
    ['a DC stands still', { dc: 'dc03' }, 'frozen', 'dc03'],
    ['the API of a DC is dead', { dc: 'dc03', part: 'api' }, 'closed', 'dc03'],
    ['the brokers of a DC are dead', { dc: 'dc03', part: 'broker' }, 'closed', 'dc03'],
    ['a DC can store nothing', { dc: 'dc03', part: 'api' }, 'unavailable', 'dc03'],
    ['the certificates of a DC have expired', { dc: 'dc03' }, 'expired', 'dc03'],
    ['a host is dead', { host: 'dc03-n2' }, 'closed', 'dc03-n2'],
    ['the certificate of a host has another name', { host: 'dc03-n2' }, 'wrong name', 'dc03-n2'],
  ]
  for (const [what, where, fault, out] of moves) {
    it(`goes elsewhere when ${what}, and back when it is over`, async () => {
      await fleet.set(where, fault)
      await allSay(out, { state: 'down', serving: false })
      for (const dc of ['dc01', 'dc02', 'dc03']) {
        const hosts = await given(dc)
        expect(hosts, dc).not.to.be.empty
        expect(hosts.filter((name) => name.startsWith(out))).to.deep.equal([])
        // One host of two: the DC is still the nearest.
        if (out !== 'dc03') expect(hosts).to.deep.equal(['dc03-n1'])
      }
      await fleet.set(where, null)
      // The DC, and each of its hosts.
      await allWell()
      expect(await given('dc01')).to.deep.equal(['dc03-n1', 'dc03-n2'])
    })
  }

  it('leaves a slow DC in, and says that it is degraded', async () => {
    await fleet.set({ dc: 'dc03' }, { slowMs: 900 })
    await allSay('dc03', { state: 'degraded', serving: true })
    expect(await given('dc01')).to.deep.equal(['dc03-n1', 'dc03-n2'])
  })

  it('never takes a second live DC out by itself', async () => {
    await fleet.set({ dc: 'dc03' }, 'closed')
    await allSay('dc03', { serving: false })
    await fleet.set({ dc: 'dc02' }, 'closed')
    await allSay('dc02', { state: 'down', serving: true })
    expect(
      (await given('dc01')).every((name) => name.startsWith('dc01') || name.startsWith('dc02')),
    ).to.equal(true)
  })

  it('changes nothing while fewer checkers than a quorum are there, whatever they see', async () => {
    await endCheckerOf('dc01')
    await endCheckerOf('dc02')
    await fleet.set({ dc: 'dc03', part: 'api' }, 'closed')
    const [left] = Array.from(checkers.values())
    await eventually(
      () => 'the checker that is left has not noticed',
      () =>
        left.voting
          .snapshot()
          .ballots.some(
            ({ checker, votes }) => checker === 'dc03-check' && votes.get('dc03')?.verdict === 'down',
          ),
      decidedMs,
    )
    const said = standings('dc03')
    expect(
      said.map((one) => one?.serving),
      JSON.stringify(said),
    ).to.deep.equal([true])
    expect(await given('dc03')).to.deep.equal(['dc03-n1', 'dc03-n2'])
    await Promise.all(['dc01', 'dc02'].map(startCheckerOf))
    await allSay('dc03', { serving: false })
  })
})
