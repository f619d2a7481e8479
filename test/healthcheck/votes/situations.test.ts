import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { count, type Counted } from '#healthcheck/votes/count.ts'
import { ballotsOf, checkers, input, words } from './ballots.ts'

interface Situation {
  readonly name: string
  readonly before: string
  readonly votes: string
  readonly people: string
  readonly out: string
}

const page = readFileSync(new URL('../../../docs/votes.md', import.meta.url), 'utf8')
const situations = page
  .split('| situation |')[1]
  .split('\n\n')[0]
  .split('\n')
  .slice(2)
  .filter((row) => row.startsWith('|'))
  .map((row): Situation => {
    const [name, before, votes, people, out] = row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim())
    return { name, before, votes, people, out }
  })

describe('The table of situations in docs/votes.md', () => {
  for (const { name, before, votes, people, out } of situations) {
    it(name, () => {
      for (const checker of checkers) {
        const earlier = count(input({ checker, ballots: ballotsOf(saidOut(before)) }))
        expect(outOf(earlier)).to.equal(before)
        const now = count(
          input({
            checker,
            ballots: ballotsOf(said(votes)),
            overrides: words(people),
            before: earlier.memory,
          }),
        )
        expect(outOf(now), `at ${checker}`).to.equal(out)
      }
    })
  }

  it('is there', () => {
    expect(situations.length).to.be.greaterThan(30)
  })
})

function outOf({ standings }: Counted): string {
  const out = new Set(Array.from(standings.values()).flatMap((one) => (one.serving ? [] : [one.subject])))
  // Hosts of a DC that is out are not named one by one.
  return Array.from(out)
    .filter((subject) => !subject.includes('-') || !out.has(subject.split('-')[0]))
    .join(' ')
}

function said(votes: string): Record<string, string> {
  return Object.fromEntries(
    votes
      .split(',')
      .map((one) => one.trim().split(' '))
      .filter(([subject]) => subject !== ''),
  )
}

function saidOut(before: string): Record<string, string> {
  return Object.fromEntries(
    before
      .split(' ')
      .filter(Boolean)
      .map((subject) => [subject, 'ddddd']),
  )
}
