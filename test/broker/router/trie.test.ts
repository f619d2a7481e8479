import { expect } from 'chai'
import * as fc from 'fast-check'
import { matches } from '#broker/packets/topic.ts'
import type { Subscription } from '#broker/router/subscription.ts'
import { SharedGroup } from '#broker/router/shared-group.ts'
import { Trie } from '#broker/router/trie.ts'
import { filter, naiveMatch, topic } from './arbitraries.ts'
import { session, subscription } from './fixture.ts'

function found(trie: Trie, name: string): (Subscription | SharedGroup)[] {
  const subscriptions: Subscription[] = []
  const groups: SharedGroup[] = []
  trie.match(name, subscriptions, groups)
  return [...subscriptions, ...groups]
}

const entry = fc.record({ filter, shared: fc.boolean() })

describe('trie of subscriptions', () => {
  it('finds exactly what a comparison with every filter finds, also after removals, and keeps no level that is empty', () => {
    fc.assert(
      fc.property(
        fc.array(entry, { maxLength: 30 }),
        fc.array(topic, { minLength: 1, maxLength: 10 }),
        fc.infiniteStream(fc.boolean()),
        (entries, topics, coin) => {
          const trie = new Trie()
          const held = entries.map(({ filter: text, shared }, i) => {
            const made = shared ? new SharedGroup(`g${i}`, text) : subscription(session(`s${i}`), text)
            trie.add(text, made)
            return { text, made }
          })
          const check = (): void => {
            for (const name of topics) {
              const wanted = held.filter(({ text }) => naiveMatch(text, name)).map(({ made }) => made)
              const got = found(trie, name)
              expect(got, name).to.have.length(wanted.length)
              for (const made of wanted) expect(got, name).to.include(made)
            }
          }
          check()
          for (let i = held.length - 1; i >= 0; i--) {
            if (!coin.next().value) continue
            trie.remove(held[i].text, held[i].made)
            held.splice(i, 1)
          }
          check()
          for (const { text, made } of held.splice(0)) trie.remove(text, made)
          check()
          expect(trie.levels).to.equal(0)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('finds a shared group by name and filter among others at the same filter', () => {
    fc.assert(
      fc.property(fc.uniqueArray(filter, { minLength: 1, maxLength: 10 }), (filters) => {
        const trie = new Trie()
        const groups = filters.flatMap((text) => [new SharedGroup('g', text), new SharedGroup('h', text)])
        for (const group of groups) {
          trie.add(group.match, subscription(session('s'), group.match))
          trie.add(group.match, group)
        }
        for (const group of groups) expect(trie.group(group.name, group.match)).to.equal(group)
        for (const text of filters) expect(trie.group('other', text)).to.equal(undefined)
      }),
    )
  })

  it('removing what is not there leaves the rest alone', () => {
    const trie = new Trie()
    const kept = subscription(session('s'), 'a/+/c')
    trie.add('a/+/c', kept)
    for (const text of ['a/+/c', 'a/+', 'a/+/c/d', 'x/#', 'a', '#'])
      trie.remove(text, subscription(session('t'), text))
    expect(found(trie, 'a/b/c')).to.deep.equal([kept])
  })

  it('agrees with the matching function that clients of the codec use', () => {
    fc.assert(
      fc.property(filter, topic, (f, t) => {
        expect(matches(f, t)).to.equal(naiveMatch(f, t))
      }),
      { numRuns: 1000 },
    )
  })
})
