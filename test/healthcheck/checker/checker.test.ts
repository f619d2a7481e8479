import { expect } from 'chai'
import type { RunningChecker } from '#healthcheck/checker/checker.ts'
import type { Results } from '#healthcheck/checker/results.ts'
import type { ProbeResult } from '#healthcheck/probes/probe.ts'
import { startFleetChecker } from '../checkers.ts'
import { type LightFleet, startLightFleet } from '../light-fleet.ts'

describe('A checker and a fleet', () => {
  let fleet: LightFleet
  let checkers: RunningChecker[] = []

  before(async () => {
    const health = { interval: 1, quorum: 2, down_after: 3, up_after: 2 }
    fleet = await startLightFleet({ dcs: 3, hosts: 1, health })
    const names = fleet.inventory.hosts
      .filter(({ roles }) => roles.includes('checker'))
      .map(({ name }) => name)
    checkers = await Promise.all(names.map((name) => startFleetChecker(fleet, name)))
    await Promise.all(checkers.map(({ firstRound }) => firstRound))
  })

  after(async () => {
    await Promise.all(checkers.map((checker) => checker.close()))
    await fleet.close()
  })

  it('finds every host of a healthy fleet well, by every probe', async () => {
    await Promise.all(checkers.map(({ results }) => untilAllWell(results)))
  })

  it('takes a dead DC out of DNS by the votes of all, and says why', async () => {
    await fleet.set({ dc: 'dc02' }, 'closed')
    await until(checkers, 'dc02', false)
    const standing = checkers[0].voting.standings().get('dc02')
    expect(standing?.reason).to.match(/refused/)
    expect(checkers[0].voting.standings().get('dc01')?.serving).to.equal(true)
  })

  it('shows it to people and programs', async () => {
    const answer = await fetch(`${checkers[0].url}/v1/health`)
    const { checker, standings, results } = (await answer.json()) as {
      checker: string
      standings: { subjects: { subject: string; state: string; votes: unknown[] }[] }
      results: ProbeResult[]
    }
    expect(checker).to.equal('dc01-check')
    const dc02 = standings.subjects.find(({ subject }) => subject === 'dc02')
    expect(dc02).to.include({ state: 'down' })
    expect(dc02?.votes).to.have.length(3)
    expect(results.some(({ ok, dc, weight }) => !ok && dc === 'dc02' && weight === 'serve')).to.equal(true)
    const metrics = await (await fetch(`${checkers[0].url}/metrics`)).text()
    expect(metrics).to.include('cinque_standing_serving{subject="dc02"} 0')
  })

  it('brings it back when it is well again', async () => {
    await fleet.set({ dc: 'dc02' }, null)
    await until(checkers, 'dc02', true)
  })
})

/** Resolves when the last look of every probe at every host was good: at a loaded machine not the very first ones. */
function untilAllWell(results: Results): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (!Array.from(results.records).every(({ last }) => last.ok)) return
      stop()
      resolve()
    }
    const stop = results.onResult(look)
    look()
  })
}

/** Resolves when all checkers say so of a subject. */
async function until(checkers: readonly RunningChecker[], subject: string, serving: boolean): Promise<void> {
  await Promise.all(
    checkers.map(
      ({ voting }) =>
        new Promise<void>((resolve) => {
          const look = (): void => {
            if (voting.standings().get(subject)?.serving === serving) resolve()
          }
          voting.onChange(look)
          look()
        }),
    ),
  )
}
