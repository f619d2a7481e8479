import { expect } from 'chai'
import { array, assert, asyncProperty, constantFrom, integer, record, tuple } from 'fast-check'
import type { Place } from '#platform/telemetry/history.ts'
import type { Point } from '#platform/telemetry/point.ts'
import { bytes, newDevice, noon, openTestPlatform } from './fixture.ts'

const hour = 3_600_000
const start = noon - 4 * 24 * hour

const point = record({
  key: constantFrom('a', 'b', 'c/d', 'e'),
  ts: integer({ min: 0, max: 96 }).map((h) => start + h * hour),
})
const query = record({
  range: tuple(integer({ min: -2, max: 98 }), integer({ min: 0, max: 98 })),
  keys: constantFrom(undefined, ['a'], ['c/d', 'a'], ['a', 'a', 'nothing'], ['nothing']),
  order: constantFrom('asc', 'desc'),
  limit: integer({ min: 1, max: 20 }),
})

describe('history: any range, any keys, any page size, both orders', () => {
  it('gives exactly the points that were stored, in order, over all pages', async () => {
    await assert(
      asyncProperty(
        array(point, { maxLength: 60 }),
        query,
        async (stored, { range: [first, length], ...rest }) => {
          const platform = await openTestPlatform()
          const device = await newDevice(platform)
          for (const [index, { key, ts }] of stored.entries()) {
            platform.telemetry.ingestJson(device, bytes({ ts, values: { [key]: index } }), noon)
          }
          await platform.lanes.durable()
          const from = start + first * hour
          const to = from + length * hour
          const expected = expectedPoints(stored, from, to, rest.keys)
          if (rest.order === 'desc') expected.reverse()
          const seen: Point[] = []
          let after: Place | undefined
          do {
            const page = await platform.telemetry.history(device, { from, to, ...rest, after })
            expect(page.points.length).to.be.at.most(rest.limit)
            seen.push(...page.points)
            after = page.next ?? undefined
          } while (after !== undefined && seen.length <= stored.length)
          expect(seen).to.deep.equal(expected)
          await platform.close()
        },
      ),
      { numRuns: 150 },
    )
  })

  it('pages through many points of one millisecond without losing or repeating any', async () => {
    const platform = await openTestPlatform()
    const device = await newDevice(platform)
    for (let i = 0; i < 100; i++) platform.telemetry.ingestJson(device, bytes({ a: i, b: i }), noon)
    await platform.lanes.durable()
    for (const order of ['asc', 'desc'] as const) {
      const seen: string[] = []
      let after: Place | undefined
      do {
        const page = await platform.telemetry.history(device, {
          from: 0,
          to: noon + 1,
          limit: 7,
          order,
          after,
        })
        seen.push(...page.points.map(({ key, value }) => `${key}${JSON.stringify(value)}`))
        after = page.next ?? undefined
      } while (after !== undefined)
      const inOrder = ['a', 'b'].flatMap((key) => Array.from({ length: 100 }, (_, i) => `${key}${i}`))
      expect(seen).to.deep.equal(order === 'asc' ? inOrder : inOrder.toReversed())
    }
  })

  it('shows a device nothing of another one', async () => {
    const platform = await openTestPlatform()
    const [one, other] = [await newDevice(platform, 'one'), await newDevice(platform, 'other')]
    platform.telemetry.ingestJson(one, bytes({ secret: 1 }), noon)
    await platform.lanes.durable()
    const all = { from: 0, to: noon + hour, limit: 10, order: 'asc', keys: ['secret'] } as const
    expect((await platform.telemetry.history(other, all)).points).to.deep.equal([])
    const stranger = { ...one, org: 'elsewhere' }
    expect((await platform.telemetry.history(stranger, all)).points).to.deep.equal([])
  })

  it('forgets values after 90 days', async () => {
    const platform = await openTestPlatform()
    const device = await newDevice(platform)
    platform.telemetry.ingestJson(device, bytes({ a: 1 }), noon)
    await platform.lanes.durable()
    const all = { from: 0, to: noon + hour, limit: 10, order: 'asc' } as const
    platform.clock.time = noon + 89 * 24 * hour
    expect((await platform.telemetry.history(device, all)).points).to.have.length(1)
    platform.clock.time = noon + 91 * 24 * hour
    expect((await platform.telemetry.history(device, all)).points).to.deep.equal([])
  })
})

/** By the words of the API: within [from, to), of the keys, the last of equal (key, time), in order of time and key. */
function expectedPoints(
  stored: readonly { key: string; ts: number }[],
  from: number,
  to: number,
  keys: readonly string[] | undefined,
): Point[] {
  const last = new Map<string, Point>()
  for (const [index, { key, ts }] of stored.entries()) {
    if (ts < from || ts >= to || keys?.includes(key) === false) continue
    last.set(`${key} ${ts}`, { key, ts, value: index })
  }
  return [...last.values()].toSorted((a, b) => a.ts - b.ts || (a.key < b.key ? -1 : 1))
}
