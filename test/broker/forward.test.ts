import { expect } from 'chai'
import * as fc from 'fast-check'
import { encodePublish, noProperties } from '#broker/packets/index.ts'
import { TestBroker, type TestClient } from './harness.ts'
import type { Packet } from './packets/packet.ts'

const qos = fc.constantFrom(0 as const, 1 as const, 2 as const)
const topic = fc.constantFrom('a', 'b', 'a/b')

const subscriptionPlan = fc.record({
  filter: fc.constantFrom('a', 'b', 'a/+', 'a/#', '#', '$share/g/a'),
  qos,
  noLocal: fc.boolean(),
  retainAsPublished: fc.boolean(),
  identifier: fc.constantFrom(0, 0, 1, 2),
})

const clientPlan = fc.record({
  version: fc.constantFrom(4 as const, 5 as const),
  kept: fc.boolean(),
  receiveMaximum: fc.constantFrom(1, 2, 5, 1000),
  topicAliasMaximum: fc.constantFrom(0, 0, 1),
  maximumPacketSize: fc.constantFrom(0, 0, 60),
  subscriptions: fc.array(subscriptionPlan, { maxLength: 3 }),
})

const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      client: fc.nat(3),
      messages: fc.array(
        fc.record({
          topic,
          qos,
          size: fc.constantFrom(0, 1, 30, 100, 200),
          retain: fc.constantFrom(false, false, false, true),
          repeat: fc.constantFrom(1, 3, 50),
        }),
        { minLength: 1, maxLength: 4 },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('acknowledge' as const), client: fc.nat(3) }) },
)

const scenario = fc.record({
  clients: fc.array(clientPlan, { minLength: 1, maxLength: 4 }),
  steps: fc.array(step, { minLength: 1, maxLength: 6 }),
})
type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never
type ClientPlan = Scenario['clients'][number]

interface Player {
  readonly client: TestClient
  readonly got: Packet[]
  packetId: number
}

async function join(t: TestBroker, plan: ClientPlan, i: number): Promise<Player> {
  const { receiveMaximum, topicAliasMaximum, maximumPacketSize } = plan
  const properties = {
    receiveMaximum,
    topicAliasMaximum,
    sessionExpiryInterval: plan.kept ? 3600 : 0,
    ...(maximumPacketSize === 0 ? {} : { maximumPacketSize }),
  }
  const client = await t.connect(
    `c${i}`,
    plan.version === 5 ? { properties } : { cleanStart: !plan.kept },
    plan.version,
  )
  for (const s of plan.subscriptions) {
    const shared = s.filter.startsWith('$share')
    if (plan.version === 4) await client.subscribe(s.filter, { qos: s.qos })
    else {
      await client.subscribe(
        s.filter,
        { qos: s.qos, noLocal: s.noLocal && !shared, retainAsPublished: s.retainAsPublished },
        s.identifier === 0 ? noProperties : { subscriptionIdentifiers: [s.identifier] },
      )
    }
  }
  return { client, got: [], packetId: 0 }
}

/** One publisher's packets, in one chunk. */
function burst(
  player: Player,
  messages: Extract<Scenario['steps'][number], { kind: 'publish' }>['messages'],
): Buffer {
  const packets: Buffer[] = []
  for (const m of messages) {
    for (let k = 0; k < m.repeat; k++) {
      const packetId = m.qos === 0 ? 0 : ++player.packetId
      const payload = Buffer.alloc(m.size, String(packets.length % 10))
      packets.push(
        encodePublish(
          { topic: m.topic, qos: m.qos, retain: m.retain, dup: false, packetId, payload, properties: {} },
          player.client.version,
        ),
      )
    }
  }
  return Buffer.concat(packets)
}

/** Takes what has come; as a publisher it goes on with its QoS 2 handshakes. */
async function take(t: TestBroker, player: Player): Promise<Packet[]> {
  await t.settled()
  const packets = await player.client.drain()
  for (const packet of packets) {
    if (packet.type === 5) player.client.ack(6, packet.value.packetId)
  }
  player.got.push(...packets)
  return packets
}

/** Plays a scenario; returns what each client got: messages, and answers to its own. */
async function play({ clients, steps }: Scenario, shortWay: boolean) {
  const t = await TestBroker.start()
  const players: Player[] = []
  for (const [i, plan] of clients.entries()) players.push(await join(t, plan, i))
  // a client that somebody watches never takes the short way
  if (!shortWay) for (const connection of t.broker.connections) connection.traced = true
  const answered = new Map<Player, number>(players.map((p) => [p, 0]))
  for (const s of steps) {
    const player = players[s.client % players.length]
    if (s.kind === 'publish') {
      player.client.send(burst(player, s.messages))
      await take(t, player)
      await take(t, player)
    } else {
      await take(t, player)
      for (const packet of player.got.slice(answered.get(player))) player.client.answer(packet)
      answered.set(player, player.got.length)
    }
  }
  for (let quiet = false; !quiet; ) {
    quiet = true
    for (const player of players) {
      await take(t, player)
      const news = player.got.slice(answered.get(player))
      for (const packet of news) player.client.answer(packet)
      answered.set(player, player.got.length)
      if (news.length > 0) quiet = false
    }
  }
  const result = players.map(({ got }) => ({
    messages: got.flatMap((packet) => (packet.type === 3 ? [shown(packet.value)] : [])),
    answers: got.flatMap((packet) =>
      packet.type === 4 || packet.type === 5 || packet.type === 7
        ? [`${packet.type} ${packet.value.packetId} ${packet.value.reason}`]
        : [],
    ),
  }))
  const dropped = t.broker.metrics.total('cinque_mqtt_dropped_messages_total')
  const sent = t.broker.stats.sent.value
  const received = t.broker.stats.received.value
  await t.stop()
  return { result, dropped, sent, received }
}

function shown(value: Extract<Packet, { type: 3 }>['value']): string {
  const { topic: name, qos: q, retain, dup, packetId, payload, properties } = value
  return JSON.stringify([name, q, retain, dup, packetId, payload.toString(), properties])
}

describe('the short way of a PUBLISH', () => {
  it('delivers, answers, drops and counts exactly what the long way does, whoever takes part', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async (s) => {
        expect(await play(s, true)).to.deep.equal(await play(s, false))
      }),
      { numRuns: 200 },
    )
  })
})

describe('a run of messages whose route is forgotten while it is collected', () => {
  it('still reaches its receivers', async () => {
    const t = await TestBroker.start()
    const reader = await t.connect('reader')
    await reader.subscribe('#')
    const publisher = await t.connect('publisher', {}, 4)
    const packet = (name: string): Buffer =>
      encodePublish(
        {
          topic: name,
          qos: 0,
          packetId: 0,
          retain: false,
          dup: false,
          payload: Buffer.from('m'),
          properties: noProperties,
        },
        4,
      )
    publisher.publish('a', 'first')
    await publisher.drain()
    // the next topic is one more than may be remembered
    const { router } = t.broker.space('default')
    const filler = 'x'.repeat(60_000)
    const remembered = router.route('a')
    let n = 0
    while (remembered.valid) router.route(`${filler}${n++}`)
    for (let i = 0; i < n - 2; i++) router.route(`${filler}${i}`)
    publisher.publish('a', 'again')
    await publisher.drain()
    const last = 'y'.repeat(4000)
    const names = Array.from({ length: 40 }, (_, i) => `${last}${i}`)
    publisher.send(Buffer.concat(names.flatMap((name) => [packet('a'), packet('a'), packet(name)])))
    await publisher.drain()
    const got = (await reader.messages()).map((m) => m.topic)
    expect(got.filter((name) => name === 'a')).to.have.length(2 + 80)
    expect(got).to.have.length(2 + 120)
    await t.stop()
  })
})
