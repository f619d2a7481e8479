import { expect } from 'chai'
import { type ApiServer, startApi } from '#api/server.ts'
import { createClient, type CinqueClient } from '#client/index.ts'
import { devInventory } from '#platform/inventory/dev.ts'
import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { openPlatform, type Platform } from '#platform/platform.ts'
import { leaseMs } from '#platform/rolls/transitions.ts'
import { runLeaseMs } from '#platform/schedules/schedules.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { Operator } from '#scripts/operator/operator.ts'
import type { Hands } from '#scripts/roll/hands.ts'
import { adminToken } from '../../api/fixture.ts'
import { type Side, sideOf } from './split-store.ts'

const day = 86_400_000
const log = createLogger({ level: 'silent' })

/** A log, and the moment when an operator has left something to another one. */
function untilLeft(): { log: ReturnType<typeof createLogger>; left: Promise<void> } {
  const left = Promise.withResolvers<void>()
  const write = (line: string): void => void (line.includes('"operator.left"') && left.resolve())
  return { log: createLogger({ destination: { write } }), left: left.promise }
}

/** A datacenter: its side of the store, its API, and operators that reach nothing else. */
interface Place {
  readonly side: Side
  readonly platform: Platform
  readonly api: ApiServer
  readonly client: CinqueClient
  operator(runner: string, deed?: (host: string) => Promise<void>, heard?: typeof log): Operator
}

describe('operators in two datacenters', () => {
  /** Ahead of the wall clock, ms. */
  let ahead: number
  let here: Place
  let there: Place
  let ends: AbortController
  /** Who has restarted what. */
  let done: string[]

  beforeEach(async () => {
    ahead = -2 * day
    done = []
    ends = new AbortController()
    const shared = new MemoryStore({})
    here = await placeOf(shared)
    there = await placeOf(shared)
    // It was due at midnight, for the first time.
    await here.client.put('/v1/schedules/{schedule}', {
      params: { path: { schedule: 'daily' } },
      body: { job: 'restart', cron: '0 0 * * *', overdue_after: 26 },
    })
    ahead = 0
  })

  afterEach(async () => {
    ends.abort()
    for (const { api, platform } of [here, there]) {
      // oxlint-disable-next-line no-await-in-loop -- two
      await api.close(500)
      // oxlint-disable-next-line no-await-in-loop
      await platform.close()
    }
  })

  async function placeOf(shared: MemoryStore): Promise<Place> {
    const side = sideOf(shared)
    const { store } = side
    const clock = { now: () => Date.now() + ahead }
    const metrics = new Metrics()
    const platform = await openPlatform({ store, log, metrics, clock })
    const api = await startApi(
      { platform, log, metrics, clock, adminToken, version: '1' },
      { host: '127.0.0.1', port: 0 },
    )
    const client = createClient({ urls: [api.url], token: adminToken })
    const inventory = devInventory({ dcs: 2 })
    return {
      side,
      platform,
      api,
      client,
      operator: (runner, deed = () => Promise.resolve(), heard = log) => {
        const nothing = (): Promise<void> => Promise.resolve()
        const act = async (host: string): Promise<void> => {
          done.push(`${runner} ${host}`)
          await deed(host)
        }
        const hands: Hands = {
          obstacles: () => Promise.resolve([]),
          drain: nothing,
          extend: () => Promise.resolve(true),
          restart: act,
          reinstall: act,
          upgrade: act,
          apply: act,
          remove: act,
          ailment: () => Promise.resolve(null),
          readmit: nothing,
        }
        const fleet = { inventory, hands, client }
        const { signal } = ends
        const parts = { log: heard, metrics: new Metrics(), lookMs: 5 }
        return new Operator({ fleet, runner, signal, commands: {}, ...parts })
      },
    }
  }

  async function lastRun({ client }: Place): Promise<{ state: string; runner: string; token: number }> {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- until it is over
      const { items } = await client.get('/v1/schedules/{schedule}/runs', {
        params: { path: { schedule: 'daily' } },
      })
      if (items[0] !== undefined && items[0].state !== 'running') return items[0]
      // oxlint-disable-next-line no-await-in-loop
      await new Promise((soon) => setTimeout(soon, 5))
    }
  }

  it('that look at the same moment do once what is due', async () => {
    await Promise.all([here.operator('a').look(), there.operator('b').look(), here.operator('c').look()])
    expect(await lastRun(there)).to.include({ state: 'done', token: 1 })
    expect(done.map((one) => one.slice(2))).to.deep.equal(['dc01-n1', 'dc02-n1'])
  })

  it('do nothing on the smaller side of a cut, and nothing twice after it', async () => {
    await there.side.cut()
    const alone = await there
      .operator('alone')
      .look()
      .catch((error: unknown) => error)
    expect(alone).to.be.an('error')
    expect(done).to.deep.equal([])
    await here.operator('many').look()
    expect(await lastRun(here)).to.include({ state: 'done', runner: 'many' })
    // It still sees it as due.
    await there
      .operator('alone')
      .look()
      .catch(() => undefined)
    there.side.heal()
    await there.operator('alone').look()
    expect(await lastRun(there)).to.include({ state: 'done', runner: 'many', token: 1 })
    expect(done).to.deep.equal(['many dc01-n1', 'many dc02-n1'])
  })

  it('go on where one was that is cut off in the middle, and that does nothing more, not after the cut either', async () => {
    const cut = Promise.withResolvers<void>()
    const healed = Promise.withResolvers<void>()
    const { log: heard, left } = untilLeft()
    const deed = async (): Promise<void> => {
      await there.side.cut()
      cut.resolve()
      await healed.promise
    }
    await there.operator('lost', deed, heard).look()
    await cut.promise
    ahead += Math.max(leaseMs, runLeaseMs)
    await here.operator('many').look()
    expect(await lastRun(here)).to.include({ state: 'done', runner: 'many', token: 2 })
    there.side.heal()
    healed.resolve()
    await left
    expect(done).to.deep.equal(['lost dc01-n1', 'many dc01-n1', 'many dc02-n1'])
  })
})
