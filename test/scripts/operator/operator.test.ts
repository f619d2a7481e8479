import { expect } from 'chai'
import { createClient, type CinqueClient } from '#client/index.ts'
import { devInventory } from '#platform/inventory/dev.ts'
import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { runLeaseMs } from '#platform/schedules/schedules.ts'
import { Operator } from '#scripts/operator/operator.ts'
import type { Hands } from '#scripts/roll/hands.ts'
import { adminToken, startTestApi, type TestApi } from '../../api/fixture.ts'

const day = 86_400_000

/** Hosts that are done at once; `deed` may make it otherwise. */
function quickHands(deed: (host: string) => Promise<void>): Hands {
  const nothing = (): Promise<void> => Promise.resolve()
  return {
    obstacles: () => Promise.resolve([]),
    drain: nothing,
    extend: () => Promise.resolve(true),
    restart: deed,
    reinstall: deed,
    upgrade: deed,
    apply: deed,
    remove: deed,
    ailment: () => Promise.resolve(null),
    readmit: nothing,
  }
}

describe('an operator', () => {
  let api: TestApi
  let client: CinqueClient
  let ends: AbortController
  let done: string[]

  beforeEach(async () => {
    api = await startTestApi()
    client = createClient({ urls: [api.url], token: adminToken })
    ends = new AbortController()
    done = []
  })

  afterEach(async () => {
    ends.abort()
    await api.close()
  })

  function operator(
    runner: string,
    more: {
      signal?: AbortSignal
      deed?: (host: string) => Promise<void>
      commands?: { backup?: string; drill?: string }
      metrics?: Metrics
    } = {},
  ): Operator {
    const deed =
      more.deed ??
      (async (host: string) => {
        done.push(host)
      })
    return new Operator({
      fleet: { inventory: devInventory({ dcs: 2 }), hands: quickHands(deed), client },
      runner,
      signal: more.signal ?? ends.signal,
      commands: more.commands ?? {},
      log: createLogger({ level: 'silent' }),
      metrics: more.metrics ?? new Metrics(),
      lookMs: 5,
    })
  }

  /** A schedule that was due yesterday. */
  async function due(job: 'restart' | 'backup' | 'drill', missed: 'run' | 'skip' = 'run'): Promise<void> {
    api.platform.clock.time = Date.now() - 2 * day
    await client.put('/v1/schedules/{schedule}', {
      params: { path: { schedule: 'often' } },
      body: { job, cron: '0 0 * * *', overdue_after: 12, missed },
    })
    api.platform.clock.time = Date.now()
  }

  async function ended(): Promise<{ state: string; note: string | null; runner: string; token: number }> {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- until it is over
      const { items } = await client.get('/v1/schedules/{schedule}/runs', {
        params: { path: { schedule: 'often' } },
      })
      if (items[0] !== undefined && items[0].state !== 'running') return items[0]
      // oxlint-disable-next-line no-await-in-loop
      await new Promise((soon) => setTimeout(soon, 5))
    }
  }

  it('does what is due once, however many of them there are', async () => {
    await due('restart')
    await Promise.all(['one', 'two', 'three'].map((name) => operator(name).look()))
    expect(await ended()).to.include({ state: 'done' })
    expect(done).to.deep.equal(['dc01-n1', 'dc02-n1'])
    await operator('four').look()
    expect(done.length).to.equal(2)
  })

  it('goes on with what another one has left, at the host where that died', async () => {
    await due('restart')
    const dies = new AbortController()
    const deed = (host: string): Promise<void> => {
      done.push(host)
      if (host !== 'dc02-n1') return Promise.resolve()
      dies.abort(new Error('killed'))
      return Promise.reject(new Error('killed'))
    }
    await operator('one', { signal: dies.signal, deed }).run()
    api.platform.clock.time += runLeaseMs
    await operator('two').look()
    expect(await ended()).to.include({ state: 'done', runner: 'two', token: 2 })
    expect(done).to.deep.equal(['dc01-n1', 'dc02-n1', 'dc02-n1'])
  })

  it('says why a job has failed, and that it is overdue', async () => {
    await due('backup')
    const metrics = new Metrics()
    const one = operator('one', { commands: { backup: 'echo storage is full; exit 3' }, metrics })
    await one.look()
    expect(await ended()).to.include({ state: 'failed', note: 'exit code 3: storage is full' })
    await one.look()
    expect(metrics.render()).to.match(/cinque_schedule_overdue\{schedule="often"\} 1/)
  })

  it('tells a command when it was due, and keeps its last line', async () => {
    await due('drill')
    await operator('one', { commands: { drill: 'echo restored; echo "due $CINQUE_DUE"' } }).look()
    const { state, note } = await ended()
    expect(state).to.equal('done')
    expect(note).to.match(/^due \d{4}-\d\d-\d\dT00:00:00.000Z$/)
  })

  it('leaves out what was missed, if that is wanted, and says so', async () => {
    await due('restart', 'skip')
    await operator('one').look()
    const { state, note } = await ended()
    expect(state).to.equal('skipped')
    expect(note).to.match(/nobody could begin it; found \d+ minutes late/)
    expect(done).to.deep.equal([])
  })

  it('carries out a roll that somebody has planned over the API, when it is approved', async () => {
    const hosts = [{ host: 'dc01-n1', dc: 'dc01' }]
    const { id } = await client.post('/v1/rolls', { body: { kind: 'restart', reason: 'test', hosts } })
    const one = operator('one')
    await one.look()
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- until it is over
      const roll = await client.get('/v1/rolls/{roll}', { params: { path: { roll: id } } })
      if (roll.ended_at !== null) break
      // oxlint-disable-next-line no-await-in-loop
      await new Promise((soon) => setTimeout(soon, 5))
    }
    expect(done).to.deep.equal(['dc01-n1'])
  })
})
