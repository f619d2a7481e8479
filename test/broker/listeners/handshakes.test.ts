import { once } from 'node:events'
import net from 'node:net'
import { expect } from 'chai'
import { type Handshake, Handshakes } from '#broker/listeners/handshakes.ts'
import { Refusals } from '#broker/refusals.ts'
import { Harness, closed, portOf } from './harness.ts'
import { eventually } from '../../patience.ts'

describe('handshakes under way', () => {
  let harness: Harness
  let server: net.Server
  let begun: { socket: net.Socket; handshake: Handshake | null }[]
  let handshakes: Handshakes

  beforeEach(async () => {
    harness = new Harness()
    begun = []
    handshakes = new Handshakes(5, new Refusals(harness.metrics, harness.log), 'tls://test', 2)
    server = net.createServer((socket) => begun.push({ socket, handshake: handshakes.begin(socket, 'tls') }))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterEach(async () => {
    handshakes.abort()
    server.close()
    await harness.close()
  })

  const dial = async (): Promise<net.Socket> => {
    const expected = begun.length + 1
    const client = await harness.dial(portOf(server))
    client.resume()
    await eventually('it is accepted', () => begun.length >= expected)
    return client
  }

  it('are bounded: one too many is closed, counted and logged, and there is room when one ends', async () => {
    const first = await dial()
    await dial()
    await closed(await harness.dial(portOf(server)))
    expect(begun.map(({ handshake }) => handshake !== null)).to.deep.equal([true, true, false])
    expect(harness.refused('handshakes')).to.equal(1)
    expect(harness.lines[0]).to.include({
      reason: 'handshakes',
      listener: 'tls://test',
      address: '127.0.0.1',
    })
    first.destroy()
    await closed(begun[0].socket)
    await dial()
    expect(begun[3].handshake).not.to.equal(null)
  })

  it('leave nothing on a socket when they have finished', async () => {
    await dial()
    const [{ socket, handshake }] = begun
    expect(handshakes.find(socket)).to.equal(handshake)
    const before = new net.Socket().eventNames()
    handshake?.finish()
    expect(handshakes.find(socket)).to.equal(undefined)
    expect(socket.eventNames()).to.deep.equal(before)
    expect(socket.listenerCount('close')).to.equal(new net.Socket().listenerCount('close'))
    socket.destroy()
  })
})
