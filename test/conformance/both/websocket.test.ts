import { expect } from 'chai'
import { concat, connectBytes, frame, hex, props, str, u16 } from '../harness/bytes.ts'
import { fresh } from '../harness/fresh.ts'
import { suite } from '../harness/suite.ts'
import { WebSocketPeer } from '../harness/websocket.ts'

/** Chapter 6, which is the same in both versions. */
for (const version of ['3.1.1', '5.0'] as const) {
  const level = version === '5.0' ? 5 : 4
  const none = version === '5.0' ? props() : Buffer.alloc(0)
  const connect = () => connectBytes(level, { payload: [str(fresh('c'))] })

  suite(
    version,
    '6 WebSocket',
    { listen: ['tcp://127.0.0.1:0', 'ws://127.0.0.1:0'] },
    ({ broker, conforms }) => {
      const open = async (protocols = ['mqtt']): Promise<WebSocketPeer> => {
        const address = broker.addresses.get('ws')
        if (address === undefined) throw new Error('the broker has no ws listener')
        return await WebSocketPeer.open(address, protocols)
      }

      const expectPacket = async (peer: WebSocketPeer, first: number): Promise<Buffer> => {
        const packet = await peer.next()
        if (packet === 'closed') throw new Error('closed')
        expect(packet[0]).to.equal(first)
        return packet
      }

      conforms(['MQTT-6.0.0-4', 'MQTT-6.0.0-3'], 'the broker selects the subprotocol mqtt', async () => {
        for (const protocols of [['mqtt'], ['other', 'mqtt']]) {
          const peer = await open(protocols)
          expect(peer.socket.protocol).to.equal('mqtt')
          peer.socket.terminate()
        }
      })

      conforms(['MQTT-6.0.0-1'], 'a text frame ends the connection', async () => {
        const peer = await open()
        peer.socket.send(connect())
        await expectPacket(peer, 0x20)
        peer.socket.send('\u00c0\u0000')
        let event = await peer.next()
        while (event !== 'closed') event = await peer.next()
        expect(event).to.equal('closed')
      })

      conforms(['MQTT-6.0.0-1'], 'the broker sends binary frames', async () => {
        const peer = await open()
        peer.socket.send(connect())
        await expectPacket(peer, 0x20)
        peer.socket.send(hex('c0 00'))
        await expectPacket(peer, 0xd0)
        expect(peer.binary).to.equal(true)
        peer.socket.terminate()
      })

      conforms(['MQTT-6.0.0-2'], 'packets may be cut into frames and put together in one', async () => {
        const topic = fresh('t')
        const peer = await open()
        for (const byte of connect()) peer.socket.send(Buffer.from([byte]))
        await expectPacket(peer, 0x20)
        peer.socket.send(
          concat(
            frame(0x82, u16(1), none, str(topic), [0]),
            frame(0x30, str(topic), none, 'one'),
            frame(0x30, str(topic), none, 'two').subarray(0, 5),
          ),
        )
        await expectPacket(peer, 0x90)
        expect((await expectPacket(peer, 0x30)).subarray(-3).toString()).to.equal('one')
        peer.socket.send(frame(0x30, str(topic), none, 'two').subarray(5))
        expect((await expectPacket(peer, 0x30)).subarray(-3).toString()).to.equal('two')
        peer.socket.terminate()
      })

      conforms(['MQTT-6.0.0-2'], 'clients over WebSocket and TCP reach each other', async () => {
        const topic = fresh('t')
        const plain = await broker.connect()
        await plain.subscribe({ topic, qos: 0 })
        const peer = await open()
        peer.socket.send(concat(connect(), frame(0x30, str(topic), none, Buffer.alloc(70_000, 'x'))))
        await expectPacket(peer, 0x20)
        expect((await plain.receive()).payload.length).to.equal(70_000)
        peer.socket.send(frame(0x82, u16(1), none, str(topic), [0]))
        await expectPacket(peer, 0x90)
        await plain.publish(`${topic}/other`, 'x')
        plain.sendPublish(topic, Buffer.alloc(70_000, 'y'))
        const packet = await expectPacket(peer, 0x30)
        expect(packet.subarray(-70_000).equals(Buffer.alloc(70_000, 'y'))).to.equal(true)
        peer.socket.terminate()
      })
    },
  )
}
