import { expect } from 'chai'
import { array, assert, boolean, constantFrom, property, tuple } from 'fast-check'
import { covers, overlaps } from '#platform/auth/filter-algebra.ts'

const alphabet = ['a', 'b', '', '$s'] as const

/** All topic names of up to four levels over the alphabet; enough to tell filters of up to three levels apart. */
const topics = (() => {
  let longest: string[][] = [[]]
  const all: string[][] = []
  for (let length = 1; length <= 4; length++) {
    longest = longest.flatMap((levels) => alphabet.map((level) => [...levels, level]))
    all.push(...longest)
  }
  return all
})()

/** Matching as MQTT 5, 4.7 words it, written independently of the code under test. */
function matches(filter: readonly string[], topic: readonly string[]): boolean {
  if (topic[0].startsWith('$') && (filter[0] === '#' || filter[0] === '+')) return false
  const hash = filter.at(-1) === '#'
  const fixed = hash ? filter.slice(0, -1) : filter
  if (hash ? topic.length < fixed.length : topic.length !== fixed.length) return false
  return fixed.every((level, at) => level === '+' || level === topic[at])
}

const level = constantFrom(...alphabet, '+')
const filter = tuple(array(level, { minLength: 0, maxLength: 3 }), boolean()).map(([levels, hash]) =>
  hash || levels.length === 0 ? [...levels.slice(0, 2), '#'] : levels,
)

describe('filter algebra: what an access list says about filters holds for every topic they match', () => {
  it('covers: no topic of the inner filter is outside the outer one', () => {
    assert(
      property(filter, filter, (outer, inner) => {
        if (!covers(outer, inner)) return
        const escaped = topics.find((topic) => matches(inner, topic) && !matches(outer, topic))
        expect(escaped, `${outer.join('/')} covers ${inner.join('/')}`).to.equal(undefined)
      }),
      { numRuns: 2000 },
    )
  })

  it('covers: says yes wherever it is true, but for # under +/#', () => {
    assert(
      property(filter, filter, (outer, inner) => {
        if (inner.join('/') === '#' && outer[0] === '+') return
        const matched = topics.filter((topic) => matches(inner, topic))
        if (matched.some((topic) => !matches(outer, topic))) return
        expect(covers(outer, inner), `${outer.join('/')} covers ${inner.join('/')}`).to.equal(true)
      }),
      { numRuns: 2000 },
    )
  })

  it('overlaps: exactly if some topic matches both', () => {
    assert(
      property(filter, filter, (one, other) => {
        const both = topics.some((topic) => matches(one, topic) && matches(other, topic))
        expect(overlaps(one, other), `${one.join('/')} overlaps ${other.join('/')}`).to.equal(both)
        expect(overlaps(other, one)).to.equal(both)
      }),
      { numRuns: 2000 },
    )
  })
})
