import { expect } from 'chai'
import { createClient, type CinqueClient } from '#client/index.ts'
import { leaseMs } from '#platform/rolls/transitions.ts'
import type { Hands } from '#scripts/roll/hands.ts'
import { LostError, restLedger, type ShownRoll } from '#scripts/roll/ledger.ts'
import { carryOut } from '#scripts/roll/runner.ts'
import { remedyOf } from '#scripts/roll/show.ts'
import { adminToken, startTestApi, type TestApi } from '../../api/fixture.ts'

/** Hosts that do as they are told, and note what that was. */
class NotingHands implements Hands {
  readonly calls: string[] = []
  readonly extended: string[] = []
  /** Whether what was said in DNS for the host at work is still in force. */
  said = true
  readonly obstacleOf = new Map<string, string>()
  readonly ailmentOf = new Map<string, string>()
  /** Called before each deed, and before each look: `gate` and `settle`. */
  before: (call: string) => Promise<void> | void = () => undefined

  async obstacles(host: string): Promise<readonly string[]> {
    await this.before(`gate ${host}`)
    const obstacle = this.obstacleOf.get(host)
    return obstacle === undefined ? [] : [obstacle]
  }

  drain(host: string): Promise<void> {
    return this.#note(`drain ${host}`)
  }

  extend(host: string, until: number | null): Promise<boolean> {
    this.extended.push(until === null ? `${host} until a person says so` : host)
    return Promise.resolve(this.said)
  }

  restart(host: string): Promise<void> {
    return this.#note(`restart ${host}`)
  }

  reinstall(host: string): Promise<void> {
    return this.#note(`reinstall ${host}`)
  }

  upgrade(host: string, version: string): Promise<void> {
    return this.#note(`upgrade ${host} ${version}`)
  }

  apply(host: string): Promise<void> {
    return this.#note(`apply ${host}`)
  }

  remove(host: string): Promise<void> {
    return this.#note(`remove ${host}`)
  }

  async ailment(host: string): Promise<string | null> {
    await this.before(`settle ${host}`)
    return this.ailmentOf.get(host) ?? null
  }

  readmit(host: string): Promise<void> {
    return this.#note(`readmit ${host}`)
  }

  async #note(call: string): Promise<void> {
    this.calls.push(call)
    await this.before(call)
  }
}

const hosts = ['dcb1-app1', 'dc01-app1'].map((host) => ({ host, dc: host.slice(0, 4) }))

describe('a roll that is carried out', () => {
  let api: TestApi
  let client: CinqueClient
  let hands: NotingHands
  let ends: AbortController

  beforeEach(async () => {
    api = await startTestApi()
    client = createClient({ urls: [api.url], token: adminToken })
    hands = new NotingHands()
    ends = new AbortController()
  })

  afterEach(async () => {
    ends.abort()
    await api.close()
  })

  const plan = (
    body:
      | { kind: 'restart' | 'reinstall' | 'apply' | 'decommission' }
      | { kind: 'upgrade'; version: string; previous: string },
  ): Promise<ShownRoll> => client.post('/v1/rolls', { body: { ...body, reason: 'test', hosts } })

  function run(
    { id }: ShownRoll,
    { name = 'runner', show = () => undefined, ...more }: Partial<Parameters<typeof carryOut>[0]> = {},
  ): Promise<ShownRoll> {
    const { signal } = ends
    const ledger = restLedger(client, id, signal)
    return carryOut({ ledger, hands, name, signal, show, lookMs: 5, ...more })
  }

  it('does one host after the other, each out of service while it is done', async () => {
    const done = await run(await plan({ kind: 'restart' }))
    expect(done.state).to.equal('done')
    expect(hands.calls).to.deep.equal(
      hosts.flatMap(({ host }) => [`drain ${host}`, `restart ${host}`, `readmit ${host}`]),
    )
  })

  it('brings new settings to hosts, and takes one out for good, by the same phases', async () => {
    await run(await plan({ kind: 'apply' }))
    await run(await plan({ kind: 'decommission' }))
    expect(hands.calls).to.deep.equal(
      ['apply', 'remove'].flatMap((deed) =>
        hosts.flatMap(({ host }) => [`drain ${host}`, `${deed} ${host}`, `readmit ${host}`]),
      ),
    )
  })

  it('tells hosts under which token it works, and people how far a long deed is', async () => {
    const mandates: number[] = []
    const notes: (string | null)[] = []
    const telling: Hands = {
      obstacles: (host) => hands.obstacles(host),
      drain: (host) => hands.drain(host),
      extend: (host, until) => hands.extend(host, until),
      restart: (host) => hands.restart(host),
      upgrade: (host, version) => hands.upgrade(host, version),
      apply: (host) => hands.apply(host),
      remove: (host) => hands.remove(host),
      ailment: (host) => hands.ailment(host),
      readmit: (host) => hands.readmit(host),
      reinstall: (host, _, tell) => {
        tell?.('it gets its rows: 3 of 7 files')
        return hands.reinstall(host)
      },
    }
    const under = ({ token }: { token: number }): Hands => {
      mandates.push(token)
      return telling
    }
    const show = ({ steps }: ShownRoll): void => void notes.push(...steps.map(({ note }) => note))
    const done = await run(await plan({ kind: 'reinstall' }), { hands: { ...telling, under }, show })
    expect(done.state).to.equal('done')
    expect(mandates).to.deep.equal([done.runner?.token])
    expect(notes).to.include('it gets its rows: 3 of 7 files')
  })

  it('stops at the first host that does not come back, and leaves it out of service', async () => {
    hands.ailmentOf.set('dcb1-app1', 'MQTT: connection refused')
    const failed = await run(await plan({ kind: 'reinstall' }), { limits: { settle: 50 } })
    expect(failed).to.include({
      state: 'failed',
      note: 'dcb1-app1: not done after 0.05 s: MQTT: connection refused',
    })
    expect(hands.calls).to.deep.equal(['drain dcb1-app1', 'reinstall dcb1-app1'])
    expect(hands.extended).to.deep.equal(['dcb1-app1 until a person says so'])
  })

  it('leaves a host out of service that dies while it is drained, and touches no other', async () => {
    hands.before = (call) => {
      if (!call.startsWith('restart')) return undefined
      return Promise.reject(new Error('dcb1-app1: there is no way to it'))
    }
    const failed = await run(await plan({ kind: 'restart' }))
    expect(failed).to.include({ state: 'failed', note: 'dcb1-app1: dcb1-app1: there is no way to it' })
    expect(hands.calls).to.deep.equal(['drain dcb1-app1', 'restart dcb1-app1'])
    hands.before = () => undefined
    const { kind, steps } = failed
    const rest = steps.filter(({ state }) => state !== 'done').map(({ host, dc }) => ({ host, dc }))
    const again = await client.post('/v1/rolls', { body: { kind, reason: 'the rest', hosts: rest } })
    expect((await run(again)).state).to.equal('done')
  })

  it('brings a host back while another one has died meanwhile, and then waits for that', async () => {
    const notes: (string | null)[] = []
    hands.before = (call) => {
      if (call === 'restart dcb1-app1') hands.obstacleOf.set('dc01-app1', 'dc02-app1 does not answer')
    }
    const done = await run(await plan({ kind: 'restart' }), {
      show: ({ steps }) => {
        notes.push(steps[1].note)
        if (steps[1].note !== null) hands.obstacleOf.clear()
      },
    })
    expect(done.state).to.equal('done')
    expect(notes).to.include('dc02-app1 does not answer')
  })

  it('takes a version back that the first host is not well with: the second never gets it', async () => {
    hands.ailmentOf.set('dcb1-app1', 'probe mqtt-tls: time out')
    hands.before = (call) => void (call.endsWith(' 1.0') && hands.ailmentOf.clear())
    const failed = await run(await plan({ kind: 'upgrade', version: '2.0', previous: '1.0' }), {
      limits: { settle: 50 },
    })
    expect(failed.note).to.match(/probe mqtt-tls: time out; it has 1.0 again and serves$/)
    expect(remedyOf(failed)).to.match(/^No further host gets this release/)
    expect(hands.calls).to.deep.equal([
      'drain dcb1-app1',
      'upgrade dcb1-app1 2.0',
      'upgrade dcb1-app1 1.0',
      'readmit dcb1-app1',
    ])
  })

  it('waits while the fleet cannot do without the host, and says for what', async () => {
    hands.obstacleOf.set('dcb1-app1', 'dc03 is out')
    const notes: (string | null)[] = []
    const roll = run(await plan({ kind: 'restart' }), {
      show: ({ steps }) => {
        notes.push(steps[0].note)
        if (steps[0].note === 'dc03 is out') hands.obstacleOf.clear()
      },
    })
    expect((await roll).state).to.equal('done')
    expect(notes).to.include('dc03 is out')
  })

  const left: Readonly<Record<string, readonly string[]>> = {
    gate: ['drain', 'restart', 'readmit'],
    drain: ['drain', 'restart', 'readmit'],
    restart: ['restart', 'readmit'],
    settle: ['readmit'],
    readmit: ['readmit'],
  }
  for (const [phase, again] of Object.entries(left)) {
    it(`goes on elsewhere when its runner dies while it is at "${phase}": that is done again, what was done is not`, async () => {
      const planned = await plan({ kind: 'restart' })
      hands.before = (call) => {
        if (call !== `${phase} dc01-app1`) return undefined
        ends.abort(new Error('killed'))
        return Promise.reject(new Error('killed'))
      }
      const killed = await run(planned).catch((error: unknown) => error)
      expect(killed).to.be.an('error')
      const before = hands.calls.length
      hands.before = () => undefined
      ends = new AbortController()
      const early = await run(planned, { name: 'another' }).catch((error: unknown) => error)
      expect(String(early)).to.match(/runner carries it out, heard of/)
      api.platform.clock.time += leaseMs
      expect((await run(planned, { name: 'another' })).state).to.equal('done')
      expect(hands.calls.slice(before)).to.deep.equal(again.map((one) => `${one} dc01-app1`))
    })
  }

  it('is left alone by a runner that was thought dead, before that does anything more', async () => {
    const planned = await plan({ kind: 'restart' })
    let other: ShownRoll | undefined
    hands.before = async (call) => {
      if (call !== 'drain dcb1-app1' || other !== undefined) return
      api.platform.clock.time += leaseMs
      other = await restLedger(client, planned.id, ends.signal).take('another')
    }
    const lost = await run(planned).catch((error: unknown) => error)
    expect(lost).to.be.instanceOf(LostError)
    expect(hands.calls).to.deep.equal(['drain dcb1-app1'])
  })

  it('stops between two hosts when it is paused, and goes on when it is resumed', async () => {
    const planned = await plan({ kind: 'restart' })
    const path = { params: { path: { roll: planned.id } } }
    hands.before = async (call) => {
      if (call === 'restart dcb1-app1') await client.post('/v1/rolls/{roll}/pause', path)
    }
    expect((await run(planned)).state).to.equal('paused')
    expect(hands.calls).to.deep.equal(['drain dcb1-app1', 'restart dcb1-app1', 'readmit dcb1-app1'])
    await client.post('/v1/rolls/{roll}/resume', path)
    expect((await run(planned, { name: 'another' })).state).to.equal('done')
  })

  it('that is aborted while it waits for its turn touches no host', async () => {
    hands.obstacleOf.set('dcb1-app1', 'a backup runs')
    const planned = await plan({ kind: 'restart' })
    let asked = false
    const ended = await run(planned, {
      show: ({ steps }) => {
        if (steps[0].note === null || asked) return
        asked = true
        void client.post('/v1/rolls/{roll}/abort', { params: { path: { roll: planned.id } } })
      },
    })
    expect(ended.state).to.equal('aborted')
    expect(hands.calls).to.deep.equal([])
  })
})
