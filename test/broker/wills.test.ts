import { expect } from 'chai'
import { TestBroker, type TestClient, texts } from './harness.ts'
import { eventually } from '../patience.ts'

type Act = (t: TestBroker, dying: TestClient) => Promise<unknown>

interface Case {
  readonly name: string
  readonly version?: 4 | 5
  /** Seconds, of CONNECT. */
  readonly expiry?: number
  readonly delay?: number
  readonly keepAlive?: number
  /** How the connection ends, and what comes after it. */
  readonly act: Act
  /** Seconds after that, or never. */
  readonly published: number | 'never'
}

const lost: Act = (_, dying) => dying.vanish()
const leaves =
  (reason: number, sessionExpiryInterval?: number): Act =>
  (_, dying) => {
    dying.disconnect(reason, sessionExpiryInterval === undefined ? {} : { sessionExpiryInterval })
    return eventually('the broker has closed', () => dying.wire.writableEnded)
  }
const backAfter =
  (seconds: number, cleanStart: boolean): Act =>
  async (t, dying) => {
    await dying.vanish()
    await t.pass(seconds * 1000)
    await t.connect('dying', { cleanStart, properties: { sessionExpiryInterval: 100 } })
  }
const takenOver =
  (cleanStart: boolean): Act =>
  (t) =>
    t.connect('dying', { cleanStart, properties: { sessionExpiryInterval: 100 } })

const CASES: readonly Case[] = [
  { name: 'the connection is lost', act: lost, published: 0 },
  { name: 'the connection is lost, 3.1.1', version: 4, act: lost, published: 0 },
  { name: 'DISCONNECT with 0x00 [MQTT-3.14.4-3]', act: leaves(0), published: 'never' },
  { name: 'DISCONNECT, 3.1.1 [MQTT-3.1.2-10]', version: 4, act: leaves(0), published: 'never' },
  { name: 'DISCONNECT with 0x04, with will', act: leaves(4), published: 0 },
  { name: 'a delay, but the session ends with the connection', delay: 10, act: lost, published: 0 },
  { name: 'a delay [MQTT-3.1.3-9]', expiry: 100, delay: 10, act: lost, published: 10 },
  { name: 'a delay and a session that never ends', expiry: 0xffff_ffff, delay: 10, act: lost, published: 10 },
  { name: 'the session ends before the delay', expiry: 10, delay: 100, act: lost, published: 10 },
  {
    name: 'a delay for ever: at the end of the session',
    expiry: 10,
    delay: 0xffff_ffff,
    act: lost,
    published: 10,
  },
  {
    name: 'DISCONNECT with 0x04 ends the session before the delay',
    expiry: 100,
    delay: 50,
    act: leaves(4, 0),
    published: 0,
  },
  {
    name: 'DISCONNECT with 0x04 shortens the session to less than the delay',
    expiry: 100,
    delay: 50,
    act: leaves(4, 20),
    published: 20,
  },
  {
    name: 'back before the delay has passed',
    expiry: 100,
    delay: 10,
    act: backAfter(5, false),
    published: 'never',
  },
  {
    name: 'back with a clean start: the session has ended',
    expiry: 100,
    delay: 10,
    act: backAfter(5, true),
    published: 0,
  },
  { name: 'taken over, no delay', expiry: 100, act: takenOver(false), published: 0 },
  { name: 'taken over, a delay', expiry: 100, delay: 10, act: takenOver(false), published: 'never' },
  { name: 'taken over with a clean start', expiry: 100, delay: 10, act: takenOver(true), published: 0 },
  { name: 'keep-alive runs out', keepAlive: 10, act: (t) => t.pass(16_000), published: 0 },
  {
    name: 'a protocol error',
    act: async (_, dying) => {
      dying.send(Buffer.from([0xf0, 0x00]))
      await eventually('the broker has closed', () => dying.wire.writableEnded)
    },
    published: 0,
  },
  {
    name: 'disconnected by the server',
    act: async (t) => t.broker.kick((c) => c.clientId === 'dying'),
    published: 0,
  },
]

describe('wills (3.1.2.5, 3.1.3.2.2)', () => {
  let t: TestBroker
  let observer: TestClient

  beforeEach(async () => {
    t = await TestBroker.start()
    observer = await t.connect('observer')
    await observer.subscribe('will/#', { qos: 1 })
  })

  afterEach(() => t.stop())

  const seen = async (): Promise<string[]> => texts(await observer.messages())

  function die(c: Pick<Case, 'version' | 'expiry' | 'delay' | 'keepAlive'>): Promise<TestClient> {
    const { version = 5, expiry = 0, delay, keepAlive = 0 } = c
    const will = {
      topic: 'will/dying',
      payload: Buffer.from('dead'),
      qos: 1,
      retain: false,
      properties: delay === undefined ? {} : { willDelayInterval: delay },
    } as const
    const properties = version === 5 ? { sessionExpiryInterval: expiry } : {}
    return t.connect('dying', { will, properties, keepAlive }, version)
  }

  for (const c of CASES) {
    it(`${c.published === 'never' ? 'never' : c.published === 0 ? 'at once' : `after ${c.published} s`}: ${c.name}`, async () => {
      const dying = await die(c)
      await c.act(t, dying)
      await t.settled()
      if (c.published === 'never') {
        await t.pass(200_000)
        expect(await seen()).to.deep.equal([])
        return
      }
      if (c.published > 0) {
        await t.pass(c.published * 1000 - 250)
        expect(await seen()).to.deep.equal([])
        await t.pass(1000)
      }
      expect(await seen()).to.deep.equal(['dead'])
      await t.pass(200_000)
      expect(await seen(), 'twice').to.deep.equal([])
    })
  }

  it('of a CONNECT that was never accepted is not published', async () => {
    t.disk.hold()
    const dying = t.dial()
    const will = {
      topic: 'will/x',
      payload: Buffer.from('x'),
      qos: 0,
      retain: false,
      properties: {},
    } as const
    dying.connect('dying', { will, properties: { sessionExpiryInterval: 100 } })
    await dying.vanish()
    t.disk.release()
    await t.pass(200_000)
    expect(await seen()).to.deep.equal([])
  })

  it('is the one of the newest connection', async () => {
    const kept = { cleanStart: false, properties: { sessionExpiryInterval: 100 } }
    const will = (text: string) =>
      ({
        topic: 'will/x',
        payload: Buffer.from(text),
        qos: 0,
        retain: false,
        properties: { willDelayInterval: 10 },
      }) as const
    await t.connect('dying', { ...kept, will: will('first') })
    const second = await t.connect('dying', { ...kept, will: will('second') })
    await second.vanish()
    await t.pass(11_000)
    expect(await seen()).to.deep.equal(['second'])
    const third = await t.connect('dying', kept)
    await third.vanish()
    await t.pass(200_000)
    expect(await seen(), 'a connection without a will has none').to.deep.equal([])
  })

  it('may be retained, and its expiry counts from when it is published', async () => {
    const will = {
      topic: 'will/x',
      payload: Buffer.from('x'),
      qos: 0,
      retain: true,
      properties: { willDelayInterval: 50, messageExpiryInterval: 30 },
    } as const
    const dying = await t.connect('dying', { will, properties: { sessionExpiryInterval: 100 } })
    await dying.vanish()
    await t.pass(51_000)
    expect(await seen()).to.deep.equal(['x'])
    t.clock.advance(10_000)
    const late = await t.connect('late')
    await late.subscribe('will/#')
    const [retained] = await late.messages()
    expect([retained.retain, retained.properties.messageExpiryInterval]).to.deep.equal([true, 20])
  })

  it('are held back by a drain: a client that is back within a minute has not died, another one has', async () => {
    const kept = { cleanStart: false, properties: { sessionExpiryInterval: 0xffff_ffff } }
    const will = (text: string) =>
      ({ topic: 'will/x', payload: Buffer.from(text), qos: 1, retain: false, properties: {} }) as const
    await t.connect('returns', { ...kept, will: will('returns') })
    await t.connect('stays away', { ...kept, will: will('stays away') })
    const permanent = await t.connect('permanent', kept)
    await permanent.subscribe('will/#', { qos: 1 })
    const { store, clock } = t
    await t.stop()
    t = await TestBroker.start({}, { store, clock })
    const back = await t.connect('permanent', kept)
    await t.connect('returns', kept)
    expect(texts(await back.messages())).to.deep.equal([])
    await t.pass(59_000)
    expect(texts(await back.messages())).to.deep.equal([])
    await t.pass(3000)
    expect(texts(await back.messages())).to.deep.equal(['stays away'])
    observer = back
  })

  it('of clients of a broker that crashed are published within 10 s, unless they are back', async () => {
    const kept = { cleanStart: false, properties: { sessionExpiryInterval: 0xffff_ffff } }
    const will = (text: string) =>
      ({ topic: 'will/x', payload: Buffer.from(text), qos: 1, retain: false, properties: {} }) as const
    await t.connect('returns', { ...kept, will: will('returns') })
    await t.connect('is dead', { will: will('is dead') })
    const permanent = await t.connect('permanent', kept)
    await permanent.subscribe('will/#', { qos: 1 })
    const { store, clock } = t
    t.crash()
    t = await TestBroker.start({}, { store, clock })
    const back = await t.connect('permanent', kept)
    await t.connect('returns', kept)
    await t.pass(10_000)
    expect(texts(await back.messages())).to.deep.equal(['is dead'])
    await t.pass(200_000)
    expect(await back.messages()).to.deep.equal([])
    observer = back
  })
})
