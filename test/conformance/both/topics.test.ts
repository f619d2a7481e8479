import { expect } from 'chai'
import { frame, props, str, u16 } from '../harness/bytes.ts'
import { reasonOf } from '../harness/client.ts'
import { fresh } from '../harness/fresh.ts'
import type { Peer } from '../harness/peer.ts'
import { suite } from '../harness/suite.ts'

/** 4.7, which is the same in both versions but for its numbers. */
for (const version of ['3.1.1', '5.0'] as const) {
  const ids = (of311: readonly string[], of5: readonly string[]) => (version === '5.0' ? of5 : of311)
  const none = () => (version === '5.0' ? props() : Buffer.alloc(0))

  suite(version, '4.7 topic names and topic filters', {}, ({ broker, conforms }) => {
    /** The filter is refused: by SUBACK, or as a malformed packet. */
    const expectRefusedFilter = async (client: Peer, filter: string | Buffer): Promise<void> => {
      client.send(frame(0x82, u16(1), none(), str(filter), [0]))
      const event = await client.next()
      if (event === 'closed' || event.cmd === 'disconnect') return
      if (event.cmd !== 'suback') throw new Error(`${filter.toString()}: got ${event.cmd}`)
      expect(event.granted[0], filter.toString()).to.be.at.least(0x80)
    }

    conforms(
      ids(['MQTT-4.7.1-1'], ['MQTT-4.7.0-1']),
      'wildcards in a topic name end the connection',
      async () => {
        for (const topic of ['#', '+', 'a/#', 'a/+/b', 'a#', '+a']) {
          const client = await broker.connect()
          client.send(frame(0x30, str(topic), none(), 'x'))
          const event = await client.next()
          if (event !== 'closed') {
            expect(event.cmd).to.equal('disconnect')
            expect(reasonOf(event)).to.be.oneOf([0x81, 0x82, 0x90])
            await client.expectClosed()
          }
        }
      },
    )

    conforms(
      ids(['MQTT-4.7.1-2'], ['MQTT-4.7.1-1']),
      '# that is not alone in the last level is refused',
      async () => {
        for (const filter of ['a#', 'a/b#', 'a/#/b', '#/a', '##', 'a/##', '+#']) {
          await expectRefusedFilter(await broker.connect(), filter)
        }
      },
    )

    conforms(
      ids(['MQTT-4.7.1-3'], ['MQTT-4.7.1-2']),
      '+ that does not take a whole level is refused',
      async () => {
        for (const filter of ['a+', '+a', 'a/b+', 'a/+b/c', '++', '+/a+']) {
          await expectRefusedFilter(await broker.connect(), filter)
        }
      },
    )

    conforms(['MQTT-4.7.3-1'], 'an empty filter is refused', async () => {
      await expectRefusedFilter(await broker.connect(), '')
    })

    conforms(['MQTT-4.7.3-1'], 'an empty topic name ends the connection', async () => {
      const client = await broker.connect()
      client.send(frame(0x30, str(''), none(), 'x'))
      await client.expectRefused([0x81, 0x82, 0x90])
    })

    conforms(['MQTT-4.7.3-2'], 'U+0000 ends the connection', async () => {
      for (const bytes of [
        frame(0x30, str('a\0b'), none(), 'x'),
        frame(0x82, u16(1), none(), str('a\0b'), [0]),
        frame(0xa2, u16(1), none(), str('a\0b')),
      ]) {
        const client = await broker.connect()
        client.send(bytes)
        await client.expectRefused([0x81, 0x8f, 0x90])
      }
    })

    conforms(
      ids(['MQTT-4.7.1-2', 'MQTT-4.7.1-3', 'MQTT-3.3.2-3'], ['MQTT-4.7.1-1', 'MQTT-4.7.1-2', 'MQTT-3.3.2-3']),
      'filters match as the specification says',
      async () => {
        const root = fresh('t')
        const matching: readonly (readonly [filter: string, topics: readonly string[]])[] = [
          ['/#', ['', '/', '/a', '/a/b', '/a/b/c', '//', '/a/']],
          ['', ['']],
          ['/+', ['/', '/a']],
          ['/+/b', ['/a/b']],
          ['/a/+', ['/a/b', '/a/']],
          ['/+/+', ['/a/b', '//', '/a/']],
          ['/a/#', ['/a', '/a/b', '/a/b/c', '/a/']],
          ['/a', ['/a']],
          ['/', ['/']],
          ['/+/#', ['/', '/a', '/a/b', '/a/b/c', '//', '/a/']],
        ]
        const topics = ['', '/', '/a', '/a/b', '/a/b/c', '//', '/a/']
        const publisher = await broker.connect()
        for (const [filter, expected] of matching) {
          const client = await broker.connect()
          await client.subscribe({ topic: `${root}${filter}`, qos: 0 })
          for (const topic of topics) publisher.sendPublish(`${root}${topic}`, 'x')
          await publisher.expectNothing()
          const got = (await client.drain()).map((packet) =>
            'topic' in packet ? packet.topic.slice(root.length) : '',
          )
          expect(got, filter).to.have.members([...expected])
          await client.end()
        }
      },
    )

    conforms(['MQTT-4.7.3-4'], 'topics that look alike are different topics', async () => {
      const root = fresh('t')
      const topics = [
        'a/b',
        'A/b',
        'a//b',
        '/a/b',
        'a/b/',
        'a/./b',
        'a /b',
        '\u00c5',
        'A\u030a',
        'a%2Fb',
        'a\\b',
        '\u212b',
      ]
      const client = await broker.connect()
      const publisher = await broker.connect()
      for (const topic of topics) {
        await client.subscribe({ topic: `${root}/${topic}`, qos: 0 })
        for (const other of topics) publisher.sendPublish(`${root}/${other}`, 'x')
        await publisher.expectNothing()
        const got = (await client.drain()).flatMap((packet) => ('topic' in packet ? [packet.topic] : []))
        expect(got).to.deep.equal([`${root}/${topic}`])
        await client.unsubscribe(`${root}/${topic}`)
      }
    })

    conforms(
      ids(['MQTT-1.5.3-3', 'MQTT-4.7.3-4'], ['MQTT-1.5.4-3', 'MQTT-4.7.3-4']),
      'every character that is allowed comes through',
      async () => {
        const topic = `${fresh('t')}/ \u00e9\u4e16\u754c\u{1f600}\u{10fffd}\uFEFF ~!@%^&*()[]{}"'`
        const client = await broker.connect()
        await client.subscribe({ topic, qos: 0 })
        await (await broker.connect()).publish(topic, 'x')
        expect((await client.receive()).topic).to.equal(topic)
      },
    )
  })

  const dollar =
    '[{effect: allow, access: all, filter: "#"}, {effect: allow, access: all, filter: "$conformance/#"}]'

  suite(version, '4.7.2 topics beginning with $', { set: { 'auth.acl': dollar } }, ({ broker, conforms }) => {
    conforms(['MQTT-4.7.2-1'], 'a leading wildcard does not match them', async () => {
      const name = fresh('t')
      const [wild, exact] = [await broker.connect(), await broker.connect()]
      await wild.subscribe(['#', '+/#', `+/${name}`].map((topic) => ({ topic, qos: 0 as const })))
      await exact.subscribe({ topic: `$conformance/${name}`, qos: 0 })
      const publisher = await broker.connect()
      await publisher.publish(`$conformance/${name}`, 'hidden')
      await publisher.publish(`plain/${name}`, 'seen')
      expect((await exact.receive()).payload.toString()).to.equal('hidden')
      const seen = (await wild.drain()).flatMap((packet) => ('topic' in packet ? [packet.topic] : []))
      expect(seen).to.include(`plain/${name}`)
      expect(seen.filter((topic) => topic.startsWith('$'))).to.deep.equal([])
    })
  })

  suite(version, '4.7.3 long topics', { set: { 'mqtt.max_topic_bytes': 65_535 } }, ({ broker, conforms }) => {
    conforms(['MQTT-4.7.3-3'], 'a topic of 65,535 bytes is subscribed to and delivered', async () => {
      const topic = fresh('t').padEnd(65_535, 'x')
      const client = await broker.connect()
      await client.subscribe({ topic, qos: 0 })
      await (await broker.connect()).publish(topic, 'x')
      expect((await client.receive()).topic).to.equal(topic)
    })
  })
}
