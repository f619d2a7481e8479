import { expect } from 'chai'
import { frame, props, str, u16 } from '../harness/bytes.ts'
import type { Received } from '../harness/client.ts'
import { fresh } from '../harness/fresh.ts'
import type { Peer } from '../harness/peer.ts'
import { suite } from '../harness/suite.ts'

const KEPT = { sessionExpiryInterval: 60 }

suite('5.0', '4.8.2 shared subscriptions', {}, ({ broker, conforms }) => {
  const publishesOf = (packets: readonly Received[]): Received<'publish'>[] =>
    packets.flatMap((packet) => (packet.cmd === 'publish' ? [packet] : []))

  /** Two members of one group. */
  const members = async (topic: string, sessionExpiryInterval = 60): Promise<readonly [Peer, Peer]> => {
    const peers = [
      await broker.connect({ properties: { sessionExpiryInterval } }),
      await broker.connect({ properties: { sessionExpiryInterval } }),
    ] as const
    for (const peer of peers) await peer.subscribe(`$share/group/${topic}`)
    return peers
  }

  /** Which of both was given the message, with it, and the other one. */
  const chosen = async (a: Peer, b: Peer) => {
    const [ofA, ofB] = [publishesOf(await a.drain()), publishesOf(await b.drain())]
    const [packet] = [...ofA, ...ofB]
    if (packet === undefined || ofA.length + ofB.length !== 1)
      throw new Error('expected one delivery in the group')
    return ofA.length === 1
      ? ({ packet, member: a, other: b } as const)
      : ({ packet, member: b, other: a } as const)
  }

  for (const [ids, filters] of [
    [['MQTT-4.8.2-1'], ['$share', '$share/', '$share/group', '$share//a']],
    [['MQTT-4.8.2-2'], ['$share/group/', '$share/gr+oup/a', '$share/#/a', '$share/+/a', '$share/group#/a']],
  ] as const) {
    conforms(ids, `not shared subscriptions: ${filters.join(' ')}`, async () => {
      for (const filter of filters) {
        const client = await broker.connect()
        client.send(frame(0x82, u16(1), props(), str(filter), [0]))
        const event = await client.next()
        if (event === 'closed' || event.cmd === 'disconnect') continue
        if (event.cmd !== 'suback') throw new Error(`got ${event.cmd}`)
        expect(event.granted[0], filter).to.be.at.least(0x80)
      }
    })
  }

  conforms(
    ['MQTT-4.8.2-3', 'MQTT-4.5.0-1'],
    'each message goes to one member of each group, and to everybody else',
    async () => {
      const topic = fresh('t')
      const [a, b] = await members(topic)
      const [another, plain] = [await broker.connect(), await broker.connect()]
      await another.subscribe({ topic: `$share/another/${topic}`, qos: 0 })
      await plain.subscribe({ topic, qos: 0 })
      const publisher = await broker.connect()
      for (let n = 0; n < 20; n++) await publisher.publish(topic, `${n}`, { qos: 0 })
      const shared = [...publishesOf(await a.drain()), ...publishesOf(await b.drain())]
      const all = Array.from({ length: 20 }, (_, n) => `${n}`)
      const payloads = (packets: readonly Received<'publish'>[]) =>
        packets.map(({ payload }) => payload.toString())
      expect(payloads(shared)).to.have.members(all)
      expect(payloads(publishesOf(await another.drain()))).to.deep.equal(all)
      expect(payloads(publishesOf(await plain.drain()))).to.deep.equal(all)
    },
  )

  conforms(['MQTT-4.8.2-3'], 'the granted QoS of the chosen member counts', async () => {
    const topic = fresh('t')
    const peers = [await broker.connect(), await broker.connect()] as const
    for (const [at, peer] of peers.entries())
      await peer.subscribe({ topic: `$share/g/${topic}`, qos: at === 0 ? 0 : 1 })
    const publisher = await broker.connect()
    for (let n = 0; n < 10; n++) await publisher.publish(topic, 'x', { qos: 2 })
    for (const { qos } of publishesOf(await peers[0].drain())) expect(qos).to.equal(0)
    for (const { qos } of publishesOf(await peers[1].drain())) expect(qos).to.equal(1)
  })

  conforms(
    ['MQTT-4.8.2-4'],
    'a QoS 2 delivery under way is completed to its member when it is back',
    async () => {
      const topic = fresh('t')
      const [a, b] = await members(topic)
      await (await broker.connect()).publish(topic, 'x', { qos: 2 })
      const { packet, member, other } = await chosen(a, b)
      member.destroy()
      await other.expectNothing()
      const back = await broker.connect({ clientId: member.clientId, clean: false, properties: KEPT })
      const again = await back.receive()
      expect([again.messageId, again.dup, again.payload.toString()]).to.deep.equal([
        packet.messageId,
        true,
        'x',
      ])
      await other.expectNothing()
    },
  )

  conforms(['MQTT-4.8.2-5'], 'a QoS 2 delivery under way ends with the session of its member', async () => {
    const topic = fresh('t')
    const [a, b] = await members(topic, 0)
    await (await broker.connect()).publish(topic, 'x', { qos: 2 })
    const { member, other } = await chosen(a, b)
    member.send({ cmd: 'disconnect', reasonCode: 0 })
    await member.expectClosed()
    await other.expectNothing()
    const [back, connack] = await broker.connack({ clientId: member.clientId, clean: false })
    expect(connack.sessionPresent).to.equal(false)
    await back.expectNothing()
    await other.expectNothing()
  })

  conforms(['MQTT-4.8.2-6'], 'a message that a member refuses goes to nobody else', async () => {
    for (const qos of [1, 2] as const) {
      const topic = fresh('t')
      const [a, b] = await members(topic)
      await (await broker.connect()).publish(topic, 'x', { qos })
      const { packet, member, other } = await chosen(a, b)
      member.send({
        cmd: qos === 1 ? 'puback' : 'pubrec',
        messageId: packet.messageId ?? 0,
        reasonCode: 0x80,
      })
      await member.expectNothing()
      await other.expectNothing()
    }
  })

  conforms(
    ['MQTT-3.3.1-9', 'MQTT-3.8.4-4'],
    'a shared subscription brings no retained messages',
    async () => {
      const topic = fresh('t')
      await (await broker.connect()).publish(topic, 'x', { retain: true, qos: 1 })
      const client = await broker.connect()
      await client.subscribe(`$share/g/${topic}`)
      await client.expectNothing()
    },
  )

  conforms(['MQTT-3.10.4-1'], 'UNSUBSCRIBE takes a member out of its group', async () => {
    const topic = fresh('t')
    const [a, b] = await members(topic)
    await a.unsubscribe(`$share/group/${topic}`)
    const publisher = await broker.connect()
    for (let n = 0; n < 4; n++) await publisher.publish(topic, 'x', { qos: 0 })
    expect(await a.drain()).to.deep.equal([])
    expect(publishesOf(await b.drain())).to.have.length(4)
  })
})
