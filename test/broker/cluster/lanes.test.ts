import { expect } from 'chai'
import type { Cell } from '#broker/cluster/cell.ts'
import { Scrubber } from '#broker/cluster/scrubber.ts'
import { NEVER } from '#broker/session.ts'
import type { DurableOutbox } from '#broker/outbox/durable-outbox.ts'
import { createLogger } from '#platform/log.ts'
import { Lanes } from '#platform/store/lanes.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { durability, FarStore, geo } from '../../platform/store/far-store.ts'
import { texts } from '../harness.ts'
import { eventually } from '../../patience.ts'
import { connectDevice, dial, PlatformCell, type PlatformMember } from './platform-cell.ts'

const near = 'default'
const kept = { cleanStart: false, properties: { sessionExpiryInterval: NEVER } }

describe('lanes of a process in a cell: what one organisation waits for holds no session of another', () => {
  let cell: PlatformCell
  let far: FarStore
  let a: PlatformMember
  let b: PlatformMember

  beforeEach(async () => {
    cell = new PlatformCell()
    const store = new MemoryStore()
    far = new FarStore(store)
    ;[a, b] = await Promise.all([cell.start(1, store), cell.start(2, far)])
    await a.platform.registry.organisations.create({ id: geo, durability: 'geo' })
  })
  afterEach(async () => {
    far.away = false
    await cell.stop()
  })

  it('sessions move there, one as ever, the other when the other DCs are back; both with all that was promised', async () => {
    const keys = new Map<string, string>()
    for (const org of [near, geo]) {
      for (const name of ['mover', 'talker', 'writer']) {
        const { key } = await a.platform.registry.devices.create(org, { name })
        keys.set(`${org} ${name}`, key)
      }
    }
    const connect = (member: PlatformMember, org: string, name: string, options = {}) =>
      connectDevice(member, name, keys.get(`${org} ${name}`) ?? '', options)
    const writer = await connect(b, geo, 'writer')
    for (const org of [near, geo]) {
      const mover = await connect(a, org, 'mover', kept)
      await mover.subscribe('news', { qos: 1 })
      await mover.vanish()
      const talker = await connect(a, org, 'talker')
      expect(await talker.publishAcknowledged('news', 'one')).to.equal(0)
      await talker.vanish()
    }
    far.away = true
    const held = writer.publish('news', 'two', { qos: 1 })
    await eventually('a write between DCs fails', () => b.platform.lanes.of(geo).failing)

    const talker = await connect(b, near, 'talker')
    expect(await talker.publishAcknowledged('news', 'two')).to.equal(0)
    const mover = await connect(b, near, 'mover', kept)
    expect(mover.sessionPresent).to.equal(true)
    expect(texts(await mover.messages())).to.deep.equal(['one', 'two'])
    expect(await mover.subscribe('more', { qos: 1 })).to.deep.equal([1])
    const waiting = dial(b, 'mover', keys.get(`${geo} mover`) ?? '', kept)
    expect(await writer.drain()).to.deep.equal([])

    far.away = false
    expect((await writer.expect(4)).value.packetId).to.equal(held)
    expect((await waiting.expect(2)).value).to.include({ reason: 0, sessionPresent: true })
    expect(texts(await waiting.messages())).to.have.members(['one', 'two'])
    expect(far.mixed, 'batches with rows of both').to.equal(0)
  })
})

describe('asking again for what sessions do not know', () => {
  it('goes on for the others while many of one lane wait to be durable', async () => {
    const lanes = new Lanes(new MemoryStore(), createLogger({ level: 'silent' }), { durability })
    const asked: string[] = []
    const ends: (() => void)[] = []
    const fake = {
      membership: { reachable: () => true },
      gathering: {
        scrub: ({ clientId }: { clientId: string }) => {
          asked.push(clientId)
          return new Promise<void>((end) => ends.push(end))
        },
      },
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- of the cell it takes no more
    const scrubber = new Scrubber(fake as unknown as Cell)
    const incomplete = (org: string, clientId: string): void => {
      const knowledge = { complete: false, waiting: [], unreadDcs: () => [1] }
      const session = { clientId, space: { commit: lanes.of(org) } }
      const outbox = { knowledge, session, loaded: true, scrubbing: false }
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      scrubber.attached(outbox as unknown as DurableOutbox)
    }
    for (let i = 0; i < 100; i++) incomplete(geo, `far ${i}`)
    incomplete(near, 'near')
    scrubber.scrub()
    expect(asked).to.have.length(33).and.include('near')
    // Those that have ended make room.
    ends[0]()
    await eventually('one has ended', () => {
      scrubber.scrub()
      return asked.length === 34
    })
    await lanes.close()
  })
})
