import { expect } from 'chai'
import { boardLines } from '#scripts/roll/board.ts'
import type { ShownRoll } from '#scripts/roll/ledger.ts'

type Step = ShownRoll['steps'][number]

const begun = Date.UTC(2026, 0, 1)

function step(host: string, more: Partial<Step> = {}): Step {
  return {
    host,
    dc: 'dc01',
    address: null,
    state: 'waiting',
    phase: null,
    note: null,
    started_at: more.state === undefined ? null : new Date(begun).toISOString(),
    ended_at: more.state === 'done' ? new Date(begun + 21_000).toISOString() : null,
    ...more,
  }
}

function rollOf(steps: Step[]): ShownRoll {
  return {
    kind: 'restart',
    version: null,
    state: 'running',
    wish: 'go',
    note: null,
    steps,
  } as unknown as ShownRoll
}

const terminal = { rows: 24, columns: 80, now: begun + 5000 }

describe('a roll on a terminal', () => {
  it('has a bar for all, and one for each host with its phase', () => {
    const roll = rollOf([
      step('dcb1-app1', { state: 'done', phase: 'return' }),
      step('dc01-n1', { state: 'running', phase: 'settle', note: 'MQTT refused' }),
      step('dc02-n1'),
    ])
    expect(boardLines(roll, terminal)).to.deep.equal([
      '[##########----------] 1/3 restart: running',
      '  dcb1-app1 [#####] done    21 s',
      '  dc01-n1   [###--] settle  5 s: MQTT refused',
      '  dc02-n1   [-----] waiting',
    ])
  })

  it('with more hosts than lines shows those around the one under way', () => {
    const steps = Array.from({ length: 30 }, (_, i) => step(`h${i}`))
    steps[20] = step('h20', { state: 'running', phase: 'act' })
    const lines = boardLines(rollOf(steps), { ...terminal, rows: 10 })
    expect(lines.length).to.be.at.most(9)
    expect(lines[1]).to.match(/^ {2}h17/)
    expect(lines.at(-1)).to.equal('  and 23 more')
  })

  it('is not moved about by what a host writes, nor wrapped', () => {
    const roll = rollOf([
      step('h', { state: 'running', phase: 'act', note: `\u001B[2J\n${'x'.repeat(200)}` }),
    ])
    for (const line of boardLines(roll, terminal)) {
      expect(line.length).to.be.below(80)
      expect(line).not.to.match(/\p{Cc}/u)
    }
  })
})
