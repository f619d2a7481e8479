import type { ProbeResult } from '#healthcheck/probes/probe.ts'
import type { Ballot } from '#healthcheck/votes/ballot.ts'
import { count, type Memory } from '#healthcheck/votes/count.ts'
import { type HostState, judge, looked } from '#healthcheck/votes/judge.ts'
import { subjectsOf } from '#healthcheck/votes/subjects.ts'
import type { Vote } from '#healthcheck/votes/vote.ts'
import { votingDefaults } from '#healthcheck/votes/voting.ts'
import { Random } from '../sim/random.ts'
import { fiveDcs } from './world.ts'

export interface Soaked {
  readonly looks: number
  /** Verdicts of single checkers that a host, a DC is down. */
  readonly hostVotes: number
  readonly dcVotes: number
  /** Standings that were down although nothing was. */
  readonly falseDowns: number
}

/** Rounds of 10 s in which nothing is wrong but looks that are lost by chance; judge and count without the network. */
export function soak({ hours, loss, seed }: { hours: number; loss: number; seed: number }): Soaked {
  const random = new Random(seed)
  const { health } = fiveDcs
  const dcs = subjectsOf(fiveDcs)
  const serve = ['mqtt', 'rest', 'ws']
  const rules = { downAfter: health.down_after, upAfter: health.up_after, serve, staleMs: 60_000 }
  const checkers = fiveDcs.hosts.filter(({ roles }) => roles.includes('checker')).map(({ name }) => name)
  const countRules = {
    checkers,
    quorum: health.quorum,
    maxRemovedLive: health.max_removed_live,
    voteTtlMs: votingDefaults.voteTtlMs,
    failback: [25, 50, 100],
    failbackStepMs: 60_000,
  }
  const states = checkers.map(() => new Map<string, HostState>())
  const soaked = { looks: 0, hostVotes: 0, dcVotes: 0, falseDowns: 0 }
  const wasDown = new Set<string>()
  let memory: Memory = {}
  for (let now = 0; now < hours * 3_600_000; now += 10_000) {
    let doubts = false
    const ballots = checkers.map((checker, at): Ballot => {
      const votes = new Map<string, Vote>()
      for (const { name: dc, hosts } of dcs) {
        for (const host of hosts) {
          let state = states[at].get(host)
          for (const probe of serve) {
            // A second look follows the first that fails.
            for (let tries = 0; tries < 2; tries++) {
              const ok = !random.chance(loss)
              state = looked(state, resultOf(probe, host, dc, ok), now + tries * 2000, rules)
              soaked.looks++
              if (ok) break
            }
          }
          if (state !== undefined) states[at].set(host, state)
          if (state?.verdict === 'down') doubts = true
        }
      }
      return { checker, ageMs: 0, votes, holds: new Map() }
    })
    if (!doubts && wasDown.size === 0) continue
    for (const [at, { checker, votes }] of ballots.entries()) {
      for (const [subject, { verdict, since }] of judge(dcs, states[at], undefined, now, rules)) {
        ;(votes as Map<string, Vote>).set(subject, { checker, subject, verdict, since })
        const key = `${checker} ${subject}`
        if (verdict !== 'down') wasDown.delete(key)
        else if (!wasDown.has(key)) {
          wasDown.add(key)
          soaked[subject.includes('-') ? 'hostVotes' : 'dcVotes']++
        }
      }
    }
    const counted = count({
      dcs,
      rules: countRules,
      checker: checkers[0],
      ballots,
      overrides: [],
      now,
      before: memory,
    })
    for (const { subject, state } of counted.standings.values()) {
      if (state === 'down' && memory[subject]?.down !== true) soaked.falseDowns++
    }
    memory = counted.memory
  }
  return soaked
}

function resultOf(probe: string, host: string, dc: string, ok: boolean): ProbeResult {
  return { probe, weight: 'serve', host, dc, ok, at: 0, ms: 100, ...(ok ? {} : { error: 'lost' }) }
}

/** `node test/healthcheck/soak.ts 1000 0.01` */
if (process.argv[1]?.endsWith('soak.ts')) {
  const [hours = 1000, loss = 0.01] = process.argv.slice(2).map(Number)
  console.log(JSON.stringify({ hours, loss, ...soak({ hours, loss, seed: 1 }) }))
}
