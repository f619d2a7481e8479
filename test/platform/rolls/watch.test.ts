import { expect } from 'chai'
import type { Roll } from '#platform/rolls/roll.ts'
import { RollWatch } from '#platform/rolls/watch.ts'
import { planned } from '#platform/rolls/transitions.ts'
import { StoreError } from '#platform/store/store.ts'
import type { Timers } from '#platform/timers.ts'

const one = planned(
  {
    id: '1',
    kind: 'restart',
    actor: 'ann',
    reason: 'daily',
    approval: false,
    hosts: [{ host: 'dc01-app1', dc: 'dc01' }],
  },
  0,
)

describe('looking on at a roll', () => {
  let now: Roll | undefined
  let away: boolean
  let reads: number
  let tick: () => void
  let running: boolean
  let watch: RollWatch

  beforeEach(() => {
    now = one
    away = false
    reads = 0
    running = false
    const timers = {
      every: (_: number, then: () => void) => {
        running = true
        tick = then
        return { cancel: () => (running = false) }
      },
    } as unknown as Timers
    const current = async (): Promise<Roll | undefined> => {
      reads++
      if (away) throw new StoreError('unavailable', 'away')
      return now
    }
    const get = async (id: string): Promise<Roll | undefined> =>
      id === '1' ? { ...one, state: 'done' } : undefined
    watch = new RollWatch({ current, get }, timers)
  })

  const settled = (): Promise<void> => new Promise((later) => setImmediate(later))

  function onlooker(): { told: string[]; stop: (() => void) | null } {
    const told: string[] = []
    const stop = watch.watch('1', {
      changed: ({ state }) => told.push(state),
      unread: () => told.push('unread'),
    })
    return { told, stop }
  }

  it('tells what is now at once, then each change once, with one read for everybody', async () => {
    const all = [onlooker(), onlooker()]
    await settled()
    tick()
    await settled()
    now = { ...one, state: 'running' }
    tick()
    await settled()
    for (const { told } of all) expect(told).to.deep.equal(['ready', 'running'])
    expect(reads).to.equal(3)
  })

  it('tells of the end of one after which another one has begun', async () => {
    const { told } = onlooker()
    await settled()
    now = { ...one, id: '2' }
    tick()
    await settled()
    expect(told).to.deep.equal(['ready', 'done'])
  })

  it('says once that it cannot be read, and goes on when it can be', async () => {
    const { told } = onlooker()
    await settled()
    away = true
    for (let i = 0; i < 3; i++) {
      tick()
      // oxlint-disable-next-line no-await-in-loop -- one look after the other
      await settled()
    }
    away = false
    now = { ...one, state: 'running' }
    tick()
    await settled()
    expect(told).to.deep.equal(['ready', 'unread', 'running'])
  })

  it('reads nothing when nobody looks on, and refuses more than a hundred', async () => {
    const all = Array.from({ length: 100 }, onlooker)
    expect(onlooker().stop).to.equal(null)
    for (const { stop } of all) stop?.()
    expect(running).to.equal(false)
    await settled()
  })
})
