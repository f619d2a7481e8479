import { expect } from 'chai'
import {
  array,
  assert,
  asyncProperty,
  boolean,
  constantFrom,
  double,
  integer,
  oneof,
  record,
} from 'fast-check'
import type { DeviceRef } from '#platform/auth/principal.ts'
import {
  type Aggregate,
  aggregateNames,
  type AggregatePlace,
  type AggregateQuery,
} from '#platform/telemetry/aggregates.ts'
import { parseSteps } from '#platform/telemetry/steps.ts'
import { rollupMinute, rollupQuarter } from '#platform/telemetry/tables.ts'
import { bytes, newDevice, noon, openTestPlatform, type TestPlatform } from './fixture.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
/** Midnight, three days before the values come in. */
const start = noon - 12 * hour - 3 * day

interface Stored {
  readonly key: string
  readonly ts: number
  readonly value: number | string | boolean | object
}

const value = oneof(
  { weight: 6, arbitrary: integer({ min: -1000, max: 1000 }).map((n) => n / 8) },
  { weight: 1, arbitrary: double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 }) },
  constantFrom('on', 'off', '', 'x'.repeat(300)),
  boolean(),
  constantFrom({ lat: 47.5 }, [1, 2], { long: 'y'.repeat(400) }),
)
const stored = record({
  key: constantFrom('a', 'b/c'),
  ts: oneof(
    integer({ min: 0, max: 3 * 24 * 60 }).map((m) => start + m * minute),
    integer({ min: 0, max: 3 * day }).map((ms) => start + ms),
    integer({ min: 0, max: 20_000 }).map((ms) => start + day + ms),
  ),
  value,
})
const request = record({
  step: constantFrom('1m', '7m', '15m', '1h', '6h', '1d', 'week', '1mo', '20s'),
  timeZone: constantFrom('UTC', 'Europe/Budapest', 'Asia/Kathmandu', 'America/St_Johns'),
  from: integer({ min: 0, max: 3 * 24 * 60 }).map((m) => start + m * minute),
  length: integer({ min: 1, max: 3 * 24 * 60 }),
  order: constantFrom('asc', 'desc'),
  limit: integer({ min: 1, max: 60 }),
})

describe('aggregates: what is shown of many values is true of those values', () => {
  it('is the same whether made in the background or of the values: late, repeated and rewritten ones included', async () => {
    await assert(
      asyncProperty(
        array(array(stored, { maxLength: 25 }), { minLength: 1, maxLength: 4 }),
        request,
        boolean(),
        async (rounds, { step, timeZone, from, length, order, limit }, again) => {
          const platform = await openTestPlatform()
          const device = await newDevice(platform)
          const all: Stored[] = []
          for (const round of rounds) {
            all.push(...round)
            const payload = round.map(({ key, ts, value: one }) => ({ ts, values: { [key]: one } }))
            for (let times = 0; payload.length > 0 && times < (again ? 2 : 1); times++) {
              platform.telemetry.ingestJson(device, bytes(payload), platform.clock.time)
              // oxlint-disable-next-line no-await-in-loop
              await platform.lanes.durable()
            }
            platform.clock.time += 7 * minute
            // oxlint-disable-next-line no-await-in-loop
            await platform.telemetry.rollups.run()
          }
          const steps = parseSteps(step, timeZone)
          const span = {
            from,
            to: Math.min(from + length * minute, from + 400 * (steps.next(0) - steps.floor(0))),
          }
          const asked = { ...span, steps, keys: ['a', 'b/c'], wanted: aggregateNames, order, limit } as const
          const expected = expectedOf(all, asked)
          const before = await allPages(platform, device, asked)
          compare(before, expected)
          platform.clock.time += hour
          await platform.telemetry.rollups.run()
          compare(await allPages(platform, device, asked), expected)
          await platform.close()
        },
      ),
      { numRuns: 40 },
    )
  }).timeout(60_000)

  it('answers for a year from a few packed rows, without the values', async () => {
    const { platform, device } = await filled(2)
    for (const { rows } of [
      await platform.store.scan(rollupMinute, null, 10),
      await platform.store.scan(rollupQuarter, null, 10),
    ])
      expect(rows).to.have.length.above(0)
    // Values are gone, aggregates answer.
    platform.clock.time += 100 * day
    const page = await platform.telemetry.aggregates(device, {
      from: start,
      to: start + 2 * day,
      steps: parseSteps('1d'),
      keys: ['t'],
      wanted: ['count', 'sum', 'first', 'last', 'p95'],
      order: 'asc',
      limit: 10,
    })
    expect(page.items.map(({ count, sum, first, last }) => [count, sum, first, last])).to.deep.equal([
      [1440, 1440 * 719.5, 0, 1439],
      [1440, 1440 * 719.5, 0, 1439],
    ])
    expect(page.items[0].p95).to.be.closeTo(1367, 1367 * 0.02)
    await platform.close()
  })

  it('a late value is there at once, and still after the aggregates were made again', async () => {
    const { platform, device } = await filled(1)
    const asked = {
      from: start,
      to: start + hour,
      steps: parseSteps('1h'),
      keys: ['t'],
      wanted: ['max', 'count'],
      order: 'asc',
      limit: 1,
    } as const
    const max = async (): Promise<unknown> => (await platform.telemetry.aggregates(device, asked)).items
    platform.telemetry.ingestJson(
      device,
      bytes({ ts: start + 30_000, values: { t: 5000 } }),
      platform.clock.time,
    )
    await platform.lanes.durable()
    const expected = [{ key: 't', ts: start, max: 5000, count: 61 }]
    expect(await max()).to.deep.equal(expected)
    platform.clock.time += hour
    await platform.telemetry.rollups.run()
    expect(await max()).to.deep.equal(expected)
    // Sent once more: nothing counts twice.
    platform.telemetry.ingestJson(
      device,
      bytes({ ts: start + 30_000, values: { t: 5000 } }),
      platform.clock.time,
    )
    await platform.lanes.durable()
    expect(await max()).to.deep.equal(expected)
    await platform.close()
  })

  it('shows nothing of another device or organisation', async () => {
    const { platform, device } = await filled(1)
    const other = await newDevice(platform, 'other')
    const asked = {
      from: start,
      to: start + day,
      steps: parseSteps('1d'),
      keys: ['t'],
      wanted: ['count'],
      order: 'asc',
      limit: 9,
    } as const
    for (const stranger of [other, { ...device, org: 'elsewhere' }, { ...device, id: `${device.id}/` }]) {
      // oxlint-disable-next-line no-await-in-loop
      expect((await platform.telemetry.aggregates(stranger, asked)).items).to.deep.equal([
        { key: 't', ts: start, count: 0 },
      ])
    }
    await platform.close()
  })

  it('what a process left that died is done by another one', async () => {
    const platform = await openTestPlatform()
    const device = await newDevice(platform)
    platform.telemetry.ingestJson(device, bytes({ t: 1 }), noon)
    await platform.lanes.durable()
    const next = await openTestPlatform({ store: platform.store })
    next.clock.time = noon + 5 * hour
    await next.telemetry.rollups.run()
    await next.telemetry.rollups.run()
    expect((await platform.store.scan(rollupQuarter, null, 10)).rows).to.have.length(1)
    await next.close()
    await platform.close()
  })
})

/** A value a minute for some days, 0 to 1439 each day, with aggregates made. */
async function filled(days: number): Promise<{ platform: TestPlatform; device: DeviceRef }> {
  const platform = await openTestPlatform()
  const device = await newDevice(platform)
  for (let at = 0; at < days * 24; at++) {
    const values = Array.from({ length: 60 }, (_, m) => ({
      ts: start + at * hour + m * minute,
      values: { t: (at % 24) * 60 + m },
    }))
    platform.telemetry.ingestJson(device, bytes(values), platform.clock.time)
  }
  await platform.lanes.durable()
  platform.clock.time += hour
  await platform.telemetry.rollups.run()
  return { platform, device }
}

async function allPages(
  platform: TestPlatform,
  device: DeviceRef,
  query: Omit<AggregateQuery, 'after'>,
): Promise<Aggregate[]> {
  const items: Aggregate[] = []
  let after: AggregatePlace | undefined
  do {
    // oxlint-disable-next-line no-await-in-loop
    const page = await platform.telemetry.aggregates(device, { ...query, after })
    expect(page.items.length).to.be.at.most(query.limit)
    items.push(...page.items)
    after = page.next ?? undefined
  } while (after !== undefined)
  return items
}

type Expected = Record<string, unknown> & { numbers: number[] }

/** By the words of the API, one value after the other. */
function expectedOf(
  all: readonly Stored[],
  { from, to, steps, keys, order }: Omit<AggregateQuery, 'after'>,
): Expected[] {
  const last = new Map<string, Stored>()
  for (const one of all) last.set(`${one.key} ${one.ts}`, one)
  const values = [...last.values()].toSorted((a, b) => a.ts - b.ts)
  const expected: Expected[] = []
  for (let ts = steps.floor(from); ts < to; ts = steps.next(ts)) {
    const end = steps.next(ts)
    for (const key of keys) {
      const own = values.filter((one) => one.key === key && one.ts >= ts && one.ts < end)
      const numbers = own.map((one) => one.value).filter((one) => typeof one === 'number')
      expected.push({
        key,
        ts,
        numbers,
        count: own.length,
        first: own[0]?.value ?? null,
        last: own.at(-1)?.value ?? null,
        min: numbers.length === 0 ? null : Math.min(...numbers),
        max: numbers.length === 0 ? null : Math.max(...numbers),
      })
    }
  }
  return order === 'asc' ? expected : expected.toReversed()
}

function compare(found: readonly Aggregate[], expected: readonly Expected[]): void {
  expect(found).to.have.length(expected.length)
  for (const [at, { numbers, ...exact }] of expected.entries()) {
    const { avg, sum, p95, ...rest } = found[at]
    expect(rest).to.deep.equal(exact)
    if (numbers.length === 0) {
      expect([avg, sum, p95]).to.deep.equal([null, null, null])
      continue
    }
    const total = numbers.reduce((a, b) => a + b, 0)
    const slack = numbers.reduce((a, b) => a + Math.abs(b), 0) * 1e-12
    expect(sum).to.be.closeTo(total, slack)
    expect(avg).to.be.closeTo(total / numbers.length, slack)
    const sorted = numbers.toSorted((a, b) => a - b)
    const exactP95 = sorted[Math.max(0, Math.ceil(0.95 * sorted.length) - 1)]
    expect(p95).to.be.closeTo(exactP95, Math.abs(exactP95) * 0.0101 + 1e-12)
  }
}
