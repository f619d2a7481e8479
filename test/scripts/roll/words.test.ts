import { expect } from 'chai'
import { createClient, type CinqueClient } from '#client/index.ts'
import { checkInventory } from '#platform/inventory/inventory.ts'
import { leaseMs } from '#platform/rolls/transitions.ts'
import type { Hands } from '#scripts/roll/hands.ts'
import { HeldWord, wordMs } from '#scripts/roll/held-word.ts'
import { restLedger, type ShownRoll } from '#scripts/roll/ledger.ts'
import { carryOut } from '#scripts/roll/runner.ts'
import { remedyOf } from '#scripts/roll/show.ts'
import { dnsTraffic, type Traffic } from '#scripts/roll/traffic.ts'
import { adminToken, startTestApi, type TestApi } from '../../api/fixture.ts'

/** Each host is all of its DC, so that the DC goes with it; there are no checkers to wait for. */
const inventory = checkInventory(
  {
    cell: 'test',
    dcs: [1, 2].map((number) => ({ name: `dc0${number}`, number, place: 'x', kind: 'live', replicas: 1 })),
    hosts: [1, 2].map((number) => ({
      name: `dc0${number}-n1`,
      dc: `dc0${number}`,
      roles: ['db', 'app'],
      address: `10.60.${number}.1`,
    })),
  },
  'test',
)
const host = 'dc01-n1'
const minute = 60_000

describe('what a roll says in DNS', () => {
  let api: TestApi
  let client: CinqueClient
  let traffic: Traffic
  let ends: AbortController
  /** Called before each deed. */
  let before: (deed: string) => Promise<void> | void
  let drained: number

  beforeEach(async () => {
    api = await startTestApi()
    client = createClient({ urls: [api.url], token: adminToken })
    traffic = dnsTraffic(client, inventory)
    ends = new AbortController()
    before = () => undefined
    drained = 0
  })

  afterEach(async () => {
    ends.abort()
    await api.close()
  })

  const now = (): number => api.platform.clock.now()
  /** What checkers read, and what they therefore keep out of DNS. */
  const out = async () => (await client.get('/v1/checkers/overrides')).items
  const plan = (): Promise<ShownRoll> =>
    client.post('/v1/rolls', { body: { kind: 'restart', reason: 'test', hosts: [{ host, dc: 'dc01' }] } })

  function run({ id }: ShownRoll, name: string): Promise<ShownRoll> {
    const { signal } = ends
    const deed = async (what: string, act?: () => Promise<void>): Promise<void> => {
      await before(what)
      await act?.()
    }
    const hands: Hands = {
      obstacles: () => Promise.resolve([]),
      drain: async (one, until, ending) => {
        drained++
        await traffic.away(one, until, ending)
        await before('drain')
      },
      extend: (one, until) => traffic.extend(one, until),
      restart: () => deed('act'),
      reinstall: () => deed('act'),
      upgrade: () => deed('act'),
      ailment: async () => {
        await before('settle')
        return null
      },
      apply: () => Promise.resolve(),
      remove: () => Promise.resolve(),
      readmit: (one, ending) => deed('return', () => traffic.back(one, ending)),
    }
    return carryOut({
      ledger: restLedger(client, id, signal),
      hands,
      name,
      signal,
      show: () => undefined,
      lookMs: 5,
    })
  }

  /** Its runner dies in that phase, without a word more. */
  async function killedAt(phase: string): Promise<ShownRoll> {
    const planned = await plan()
    before = (deed) => {
      if (deed !== phase) return undefined
      ends.abort(new Error('killed'))
      return Promise.reject(new Error('killed'))
    }
    expect(await run(planned, 'first').catch((error: unknown) => error)).to.be.an('error')
    before = () => undefined
    ends = new AbortController()
    return planned
  }

  for (const phase of ['drain', 'act', 'settle', 'return']) {
    it(`ends when its runner dies in ${phase} and nobody follows: the DC does not stay out for ever`, async () => {
      await killedAt(phase)
      expect((await out()).map(({ subject }) => subject)).to.deep.equal(['dc01'])
      api.platform.clock.time += wordMs
      expect(await out()).to.deep.equal([])
    })

    it(`ends when a person aborts the roll whose runner has died in ${phase}`, async () => {
      const { id } = await killedAt(phase)
      api.platform.clock.time += leaseMs
      const aborted = await client.post('/v1/rolls/{roll}/abort', { params: { path: { roll: id } } })
      expect(aborted.state).to.equal('aborted')
      api.platform.clock.time += wordMs
      expect(await out()).to.deep.equal([])
      expect((await run(await plan(), 'next')).state).to.equal('done')
    })
  }

  for (const phase of ['act', 'settle']) {
    it(`is said anew by whoever follows in ${phase} when it has ended: the host is not at work in DNS`, async () => {
      const planned = await killedAt(phase)
      api.platform.clock.time += wordMs
      let said: readonly string[] = []
      before = async (deed) => {
        if (deed === phase) said = (await out()).map(({ subject }) => subject)
      }
      expect((await run(planned, 'second')).state).to.equal('done')
      expect(said).to.deep.equal(['dc01'])
      expect(await out()).to.deep.equal([])
    })
  }

  it('is only made longer by who follows in time: devices are not waited for once more', async () => {
    const planned = await killedAt('settle')
    api.platform.clock.time += leaseMs
    expect((await run(planned, 'second')).state).to.equal('done')
    expect(drained).to.equal(1)
  })

  it('lasts while its runner is heard of, however long a deed takes', async () => {
    await traffic.away(host, now() + wordMs, ends.signal)
    const word = new HeldWord(traffic)
    word.hold(host, now() + wordMs)
    for (let minutes = 0; minutes < 30; minutes++) {
      api.platform.clock.time += minute
      word.renew(now())
      // oxlint-disable-next-line no-await-in-loop -- one minute after the other
      await word.renewed()
      // oxlint-disable-next-line no-await-in-loop
      const [one] = await out()
      expect(Date.parse(one.expires_at ?? '') - now()).to.be.within(wordMs - 5 * minute, wordMs)
    }
  })

  it('outlives a store that takes no word for ten minutes', async () => {
    await traffic.away(host, now() + wordMs, ends.signal)
    let away = true
    const word = new HeldWord({
      extend: (one, until) =>
        away ? Promise.reject(new Error('no DC can write')) : traffic.extend(one, until),
    })
    word.hold(host, now() + wordMs)
    for (let minutes = 0; minutes < 14; minutes++) {
      api.platform.clock.time += minute
      word.renew(now())
      // oxlint-disable-next-line no-await-in-loop -- one minute after the other
      await word.renewed()
    }
    expect((await out()).length).to.equal(1)
    away = false
    word.renew(now())
    await word.renewed()
    api.platform.clock.time += wordMs - minute
    expect((await out()).length).to.equal(1)
  })

  it('is not said again once the host is given back', async () => {
    await traffic.away(host, now() + wordMs, ends.signal)
    const word = new HeldWord(traffic)
    word.hold(host, now())
    word.renew(now())
    await word.release()
    await traffic.back(host, ends.signal)
    word.renew(now() + wordMs)
    await word.renewed()
    expect(await out()).to.deep.equal([])
  })

  it('is not said again where a person has taken it back, or has said something else', async () => {
    const path = { params: { path: { subject: 'dc01' } } }
    await traffic.away(host, now() + wordMs, ends.signal)
    await client.delete('/v1/overrides/{subject}', path)
    expect(await traffic.extend(host, now() + wordMs)).to.equal(false)
    expect(await out()).to.deep.equal([])
    await client.put('/v1/overrides/{subject}', { ...path, body: { action: 'in', reason: 'ours' } })
    expect(await traffic.extend(host, null)).to.equal(true)
    expect((await out()).map(({ reason }) => reason)).to.deep.equal(['ours'])
  })

  it('has no end about a host that failed: it stays out until somebody has looked at it', async () => {
    before = (deed) => (deed === 'act' ? Promise.reject(new Error('it does not start')) : undefined)
    const failed = await run(await plan(), 'runner')
    expect(failed.state).to.equal('failed')
    api.platform.clock.time += 10 * wordMs
    const [{ subject, reason, expires_at: end }] = await out()
    expect([subject, reason, end]).to.deep.equal(['dc01', 'roll: dc01-n1 failed', null])
    before = () => undefined
    expect((await run(await plan(), 'runner')).state).to.equal('done')
    expect(await out()).to.deep.equal([])
  })

  it('ends about a host that was not touched, as its drain failed', async () => {
    before = (deed) => (deed === 'drain' ? Promise.reject(new Error('no checker answers')) : undefined)
    const failed = await run(await plan(), 'runner')
    expect(remedyOf(failed)).to.match(
      /^dc01-n1 was not touched, and is in DNS again after 15 minutes at most/,
    )
    api.platform.clock.time += wordMs
    expect(await out()).to.deep.equal([])
  })
})
