import { expect } from 'chai'
import { array, assert, boolean, nat, property, record } from 'fast-check'
import { describe, it } from 'mocha'
import { answers, checkHealth, dependsOnPlace } from '#healthcheck/dns/evaluator.ts'
import type { ClientPlace, HealthCheck, RecordSet, RecordTree, Routing } from '#healthcheck/dns/record-set.ts'

const name = 'www.example.com'
const tree = (...records: RecordSet[]): RecordTree => ({ zone: 'example.com', records, checks: [] })

/** A record set whose address and check are its id. */
function leaf(id: string, routing: Routing, more: Partial<RecordSet> = {}): RecordSet {
  return { name, type: 'A', id, routing, answer: { values: [id], ttl: 60 }, check: id, ...more }
}

function alias(id: string, routing: Routing, target: string, more: Partial<RecordSet> = {}): RecordSet {
  return { name, type: 'A', id, routing, answer: { alias: target, evaluateHealth: true }, ...more }
}

const weight = (value: number): Routing => ({ by: 'weight', weight: value })
const primary: Routing = { by: 'failover', role: 'primary' }
const secondary: Routing = { by: 'failover', role: 'secondary' }
const place = (where: Extract<Routing, { by: 'place' }>['place']): Routing => ({ by: 'place', place: where })
const noAlias = (set: RecordSet): RecordSet => ({
  ...set,
  answer: { alias: target(set), evaluateHealth: false },
})
const target = ({ answer }: RecordSet): string => ('alias' in answer ? answer.alias : '')
const unchecked = (set: RecordSet): RecordSet => {
  const { check, ...rest } = set
  return check === undefined ? set : rest
}

const weighted = tree(leaf('a', weight(1)), leaf('b', weight(2)), leaf('c', weight(3)))
const spare = tree(leaf('a', weight(10)), leaf('b', weight(10)), leaf('c', weight(0)), leaf('d', weight(0)))
const failover = tree(leaf('first', primary), leaf('second', secondary))
const places = tree(
  leaf('de', place({ country: 'DE' })),
  leaf('eu', place({ continent: 'EU' })),
  leaf('all', place('default')),
)
const noDefault = tree(leaf('de', place({ country: 'DE' })), leaf('eu', place({ continent: 'EU' })))
const berlin = { continent: 'EU', country: 'DE' } as const

/** Two branches, each with two weighted hosts: the documentation's example of a complex configuration. */
const branches = (choice: (set: RecordSet) => RecordSet = (set) => set): RecordTree =>
  tree(
    choice(alias('one', primary, 'one.example.com')),
    alias('two', secondary, 'two.example.com'),
    ...['one', 'two'].flatMap((branch) =>
      ['x', 'y'].map((host) => leaf(`${branch}-${host}`, weight(1), { name: `${branch}.example.com` })),
    ),
  )

type Vector = [
  rule: string,
  tree: RecordTree,
  down: string,
  place: ClientPlace,
  expected: Record<string, number>,
]

// Route 53 Developer Guide: "How Amazon Route 53 chooses records when health checking is configured" and "How health
// checks work in complex Amazon Route 53 configurations"; shares in percent.
const vectors: Vector[] = [
  ['weights: in proportion', weighted, '', {}, { a: 17, b: 33, c: 50 }],
  ['weights: one of three unhealthy, the other two answer', weighted, 'c', {}, { a: 33, b: 67 }],
  ['weights: all unhealthy, as if all were healthy', weighted, 'a b c', {}, { a: 17, b: 33, c: 50 }],
  ['weight 0 is not considered while another is healthy', spare, 'a', {}, { b: 100 }],
  ['weight 0 is considered when all others are unhealthy', spare, 'a b', {}, { c: 50, d: 50 }],
  ['weight 0 and unhealthy: the other with weight 0', spare, 'a b c', {}, { d: 100 }],
  ['weight 0, all unhealthy: as if all were healthy', spare, 'a b c d', {}, { a: 50, b: 50 }],
  ['all weights 0: all alike', tree(leaf('a', weight(0)), leaf('b', weight(0))), '', {}, { a: 50, b: 50 }],
  ['failover: primary', failover, '', {}, { first: 100 }],
  ['failover: secondary when the primary is unhealthy', failover, 'first', {}, { second: 100 }],
  ['failover: primary when the secondary is unhealthy', failover, 'second', {}, { first: 100 }],
  ['failover: primary when both are unhealthy', failover, 'first second', {}, { first: 100 }],
  [
    'no check: always healthy',
    tree(leaf('first', primary), unchecked(leaf('second', secondary))),
    'first second',
    {},
    { second: 100 },
  ],
  [
    'no check on a weighted one: it alone answers when the others are unhealthy',
    tree(leaf('a', weight(1)), unchecked(leaf('b', weight(1)))),
    'a b',
    {},
    { b: 100 },
  ],
  ['place: the smallest', places, '', berlin, { de: 100 }],
  ['place: unhealthy, the next larger', places, 'de', berlin, { eu: 100 }],
  ['place: both unhealthy, the default', places, 'de eu', berlin, { all: 100 }],
  ['place: all unhealthy, the smallest', places, 'de eu all', berlin, { de: 100 }],
  ['place: another country of the continent', places, '', { continent: 'EU', country: 'FR' }, { eu: 100 }],
  ['place: another continent', places, '', { continent: 'AS', country: 'JP' }, { all: 100 }],
  ['place: not known', places, '', {}, { all: 100 }],
  ['place: not known and no default, no answer', noDefault, '', {}, {}],
  [
    'place: one that does not fit is no way out',
    noDefault,
    'eu',
    { continent: 'EU', country: 'FR' },
    { eu: 100 },
  ],
  ['alias: healthy while one of its records is', branches(), 'one-x', {}, { 'one-y': 100 }],
  [
    'alias: unhealthy when none of its records is',
    branches(),
    'one-x one-y',
    {},
    { 'two-x': 50, 'two-y': 50 },
  ],
  [
    'alias: nothing healthy anywhere, the primary as if all were',
    branches(),
    'one-x one-y two-x two-y',
    {},
    { 'one-x': 50, 'one-y': 50 },
  ],
  [
    'alias without evaluation: always healthy',
    branches(noAlias),
    'one-x one-y',
    {},
    { 'one-x': 50, 'one-y': 50 },
  ],
  [
    'alias with a check of its own: both count',
    branches((set) => ({ ...set, check: 'own' })),
    'own',
    {},
    { 'two-x': 50, 'two-y': 50 },
  ],
  [
    'simple: all values',
    tree({ ...leaf('a', { by: 'simple' }), answer: { values: ['a', 'b'], ttl: 60 } }),
    'a',
    {},
    { 'a b': 100 },
  ],
  ['no such name', tree(), '', {}, {}],
]

describe("Route 53's rules", () => {
  for (const [rule, records, down, client, expected] of vectors) {
    it(rule, () => {
      const unhealthy = new Set(down.split(' '))
      const outcomes = answers(records, { name, type: 'A' }, client, (check) => !unhealthy.has(check))
      expect(
        Object.fromEntries(outcomes.map(({ values, share }) => [values.join(' '), Math.round(share * 100)])),
      ).to.deep.equal(expected)
    })
  }

  it('knows which names differ by place, so that resolvers keep the others for everybody', () => {
    const records = tree(
      alias('a', place('default'), 'one.example.com'),
      leaf('x', weight(1), { name: 'one.example.com' }),
    )
    expect(dependsOnPlace(records, { name, type: 'A' })).to.equal(true)
    expect(dependsOnPlace(records, { name: 'one.example.com', type: 'A' })).to.equal(false)
    expect(dependsOnPlace(records, { name, type: 'AAAA' })).to.equal(false)
  })

  it('does not follow aliases in a circle for ever', () => {
    const circle = tree(alias('a', { by: 'simple' }, name))
    expect(() => answers(circle, { name, type: 'A' }, {}, () => true)).to.throw(/circle/)
    expect(dependsOnPlace(circle, { name, type: 'A' })).to.equal(false)
  })
})

describe("Route 53's calculated checks", () => {
  const http = (child: string): HealthCheck => ({
    name: child,
    kind: 'http',
    address: '192.0.2.1',
    port: 80,
    path: '/',
  })
  const health = (atLeast: number, inverted: boolean, down: string): boolean =>
    checkHealth(
      {
        zone: 'example.com',
        records: [],
        checks: [
          ...['a', 'b', 'c'].map(http),
          { name: 'n', kind: 'count', children: ['a', 'b', 'c'], atLeast, inverted },
        ],
      },
      (check) => !down.split(' ').includes(check.name),
    )('n')

  for (const [rule, atLeast, inverted, down, expected] of [
    ['healthy with as many healthy children as it wants', 2, false, 'a', true],
    ['unhealthy with fewer', 2, false, 'a b', false],
    ['wants none: always healthy', 0, false, 'a b c', true],
    ['wants more than it has: always unhealthy', 4, false, '', false],
    ['inverted: unhealthy with as many as it wants', 2, true, 'a', false],
    ['inverted: healthy with fewer', 2, true, 'a b', true],
  ] as const) {
    it(rule, () => expect(health(atLeast, inverted, down)).to.equal(expected))
  }

  it('refuses a check that is not there, and one that counts itself', () => {
    const loop: HealthCheck = { name: 'n', kind: 'count', children: ['n'], atLeast: 1, inverted: false }
    const records: RecordTree = { zone: 'example.com', records: [], checks: [loop] }
    expect(() => checkHealth(records, () => true)('m')).to.throw(/no health check "m"/)
    expect(() => checkHealth(records, () => true)('n')).to.throw(/counts itself/)
  })
})

describe('answers to clients, whatever the tree', () => {
  it('have shares that make up all, and only healthy records while there is one in the group', () => {
    const sets = array(record({ weight: nat(255), healthy: boolean() }), {
      minLength: 1,
      maxLength: 8,
    })
    assert(
      property(sets, (list) => {
        const records = tree(...list.map(({ weight: one }, at) => leaf(`${at}`, weight(one))))
        const outcomes = answers(records, { name, type: 'A' }, {}, (check) => list[Number(check)].healthy)
        const total = outcomes.reduce((sum, { share }) => sum + share, 0)
        expect(total).to.be.closeTo(1, 1e-9)
        if (!list.some(({ healthy }) => healthy)) return
        for (const { values } of outcomes) expect(list[Number(values[0])].healthy).to.equal(true)
      }),
    )
  })
})
