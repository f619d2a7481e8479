import type { Ballot } from '#healthcheck/votes/ballot.ts'
import type { CountInput, CountRules } from '#healthcheck/votes/count.ts'
import type { DcSubject } from '#healthcheck/votes/subjects.ts'
import type { Override, Verdict, Vote } from '#healthcheck/votes/vote.ts'

export const checkers = ['c1', 'c2', 'c3', 'c4', 'c5']
/** Three live DCs and two backup ones, two hosts each. */
export const dcs: readonly DcSubject[] = ['dc01', 'dc02', 'dc03', 'dcb1', 'dcb2'].map((name, at) => ({
  name,
  number: at + 1,
  kind: at < 3 ? 'live' : 'backup',
  hosts: [`${name}-a1`, `${name}-a2`],
}))
export const subjects = dcs.flatMap(({ name, hosts }) => [name, ...hosts])
export const rules: CountRules = {
  checkers,
  quorum: 3,
  voteTtlMs: 30_000,
  maxRemovedLive: 1,
  failback: [25, 50, 100],
  failbackStepMs: 60_000,
}
export const noon = Date.UTC(2026, 10, 21, 12)

const letters: Readonly<Record<string, Verdict>> = { u: 'up', d: 'down', g: 'degraded', a: 'abstain' }

/**
 * Ballots of five checkers: `{ dc01: 'dduu-' }`, a letter each (see docs/votes.md); a DC's letters are its hosts' too,
 * `all` everybody's.
 */
export function ballotsOf(said: Readonly<Record<string, string>>): Ballot[] {
  return checkers.flatMap((checker, at) => {
    const votes = new Map<string, Vote>()
    let silent = false
    for (const { name, hosts } of dcs) {
      const ofDc = said[name] ?? said.all ?? 'uuuuu'
      for (const subject of [name, ...hosts]) {
        const letter = (said[subject] ?? ofDc)[at]
        if (letter === '-') silent = true
        else votes.set(subject, vote(checker, subject, letters[letter]))
      }
    }
    return [{ checker, ageMs: silent ? rules.voteTtlMs + 1 : at * 100, votes, holds: new Map() }]
  })
}

export function vote(checker: string, subject: string, verdict: Verdict): Vote {
  return { checker, subject, verdict, since: noon, ...(verdict === 'down' ? { reason: 'refused' } : {}) }
}

/** `dc01 out, dc02 weight 30, dc03 in expired` */
export function words(text: string): Override[] {
  return text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
    .map((one) => {
      const [subject, action, ...more] = one.split(' ')
      const expired = more.includes('expired')
      return {
        subject,
        action: action as Override['action'],
        owner: 'anna',
        reason: 'tests',
        at: noon - 1000,
        ...(action === 'weight' ? { percent: Number(more[0]) } : {}),
        ...(expired ? { expiresAt: noon } : {}),
      }
    })
}

export function input(more: Partial<CountInput>): CountInput {
  return { dcs, rules, checker: 'c1', ballots: [], overrides: [], now: noon, before: {}, ...more }
}
