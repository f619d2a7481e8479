import { once } from 'node:events'
import http from 'node:http'
import type { Duplex } from 'node:stream'
import { expect } from 'chai'
import { type ClientOptions, WebSocket } from 'ws'
import { attachWebSocket } from '#broker/listeners/index.ts'
import { PemDirectory, makeAuthority } from './certificates.ts'
import { Harness, closed, portOf, read } from './harness.ts'
import { eventually } from '../../patience.ts'

const UPGRADE = [
  'GET /mqtt HTTP/1.1',
  'Host: localhost',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Protocol: mqtt',
  '\r\n',
].join('\r\n')

describe('WebSocket listener', () => {
  let harness: Harness
  let sockets: WebSocket[]
  beforeEach(() => {
    harness = new Harness()
    sockets = []
  })
  afterEach(async () => {
    for (const socket of sockets) socket.terminate()
    await harness.close()
  })

  const dial = (
    options: ClientOptions = {},
    protocols = ['mqtt'],
    url = harness.listener?.url ?? '',
  ): WebSocket => {
    const socket = new WebSocket(url, protocols, options)
    socket.on('error', () => {})
    sockets.push(socket)
    return socket
  }
  /** The HTTP status that an upgrade is refused with. */
  const status = async (socket: WebSocket): Promise<number> => {
    const response = await new Promise<http.IncomingMessage>((resolve) =>
      socket.on('unexpected-response', (_request, answer) => resolve(answer)),
    )
    response.resume()
    return response.statusCode ?? 0
  }

  it('carries bytes both ways under the subprotocol mqtt [MQTT-6.0.0-3] [MQTT-6.0.0-4]', async () => {
    await harness.open('ws://127.0.0.1:0')
    expect(harness.listener?.url).to.match(/^ws:\/\/127\.0\.0\.1:\d+\/mqtt$/)
    const next = harness.next()
    const socket = dial({}, ['mqttv3.1', 'mqtt'])
    const { stream, info } = await next
    expect(info).to.include({ remoteAddress: '127.0.0.1', listener: harness.listener?.url, protocol: 'ws' })
    if (socket.readyState !== socket.OPEN) await once(socket, 'open')
    expect(socket.protocol).to.equal('mqtt')
    expect(socket.extensions).to.equal('')
    socket.send(Buffer.from('ping'))
    expect((await read(stream, 4)).toString()).to.equal('ping')
    const message = once(socket, 'message')
    stream.write(Buffer.from('pong'))
    expect(await message).to.deep.equal([Buffer.from('pong'), true])
  })

  it('takes packets that span frames, and several in one frame [MQTT-6.0.0-2]', async () => {
    await harness.open('ws://127.0.0.1:0')
    const next = harness.next()
    const socket = dial()
    const { stream } = await next
    if (socket.readyState !== socket.OPEN) await once(socket, 'open')
    for (const part of ['ab', 'c', '', 'defg']) socket.send(Buffer.from(part))
    socket.send(Buffer.from('hi'), { fin: false })
    socket.send(Buffer.from('jk'), { fin: true })
    expect((await read(stream, 11)).toString()).to.equal('abcdefghijk')
  })

  it('closes the connection on a text frame [MQTT-6.0.0-1]', async () => {
    await harness.open('ws://127.0.0.1:0')
    const next = harness.next()
    const socket = dial()
    const { stream } = await next
    const ended = once(socket, 'close')
    if (socket.readyState !== socket.OPEN) await once(socket, 'open')
    socket.send('text')
    expect((await ended)[0]).to.equal(1003)
    await closed(stream)
    expect(harness.refused('websocket_frame')).to.equal(1)
  })

  it('bounds a frame by the largest packet: more is refused from its header', async () => {
    await harness.open('ws://127.0.0.1:0', { maxPacketSize: 1000 })
    const next = harness.next()
    const socket = dial()
    const { stream } = await next
    const ended = once(socket, 'close')
    if (socket.readyState !== socket.OPEN) await once(socket, 'open')
    socket.send(Buffer.alloc(1000 + 65_536))
    expect((await read(stream, 1000 + 65_536)).length).to.equal(1000 + 65_536)
    socket.send(Buffer.alloc(1000 + 65_537))
    expect((await ended)[0]).to.equal(1009)
    await closed(stream)
    expect(harness.refused('websocket_frame')).to.equal(1)
  })

  const refusals: [string, string[], string, number][] = [
    ['without a subprotocol', [], '', 400],
    ['with other subprotocols', ['mqttv3.1', 'amqp'], '', 400],
    ['on another path than the listener has', ['mqtt'], '/other', 404],
  ]
  for (const [what, protocols, path, expected] of refusals)
    it(`refuses an upgrade ${what}`, async () => {
      await harness.open('ws://127.0.0.1:0/edge')
      const socket = dial({}, protocols, `ws://127.0.0.1:${harness.port}${path || '/edge'}`)
      expect(await status(socket)).to.equal(expected)
      expect(harness.refused('websocket_upgrade')).to.equal(1)
      expect(harness.accepted).to.deep.equal([])
    })

  it('accepts its path with a query, and any path and origin where the URL names none', async () => {
    await harness.open('ws://127.0.0.1:0/edge')
    const one = harness.next()
    dial({}, ['mqtt'], `ws://127.0.0.1:${harness.port}/edge?token=1`)
    await one
    const other = new Harness()
    await other.open('ws://127.0.0.1:0')
    const two = other.next()
    dial({ origin: 'https://elsewhere.example' }, ['mqtt'], `ws://127.0.0.1:${other.port}/`)
    await two
    await other.close()
  })

  it('answers plain HTTP with 426 and bad HTTP with 400', async () => {
    await harness.open('ws://127.0.0.1:0')
    const response = await fetch(`http://127.0.0.1:${harness.port}/mqtt`)
    expect(response.status).to.equal(426)
    await response.text()
    const client = await harness.dial()
    client.write('MQTT?\r\n\r\n')
    expect((await read(client, 12)).toString()).to.match(/^HTTP\/1\.1 400/)
    await closed(client)
    expect(harness.refused('websocket_upgrade')).to.equal(2)
  })

  it('refuses a handshake of another version', async () => {
    await harness.open('ws://127.0.0.1:0')
    const client = await harness.dial()
    client.write(UPGRADE.replace('Version: 13', 'Version: 7'))
    expect((await read(client, 12)).toString()).to.match(/^HTTP\/1\.1 400/)
    expect(harness.refused('websocket_upgrade')).to.equal(1)
  })

  it('closes a client that does not finish its request in time, and nobody later', async () => {
    await harness.open('ws://127.0.0.1:0', { connectTimeout: 0.1 })
    const next = harness.next()
    const socket = dial()
    const { stream } = await next
    const client = await harness.dial()
    client.resume()
    client.write(UPGRADE.slice(0, 50))
    await closed(client)
    expect(harness.refused('websocket_timeout')).to.equal(1)
    socket.send(Buffer.from('ping'))
    expect((await read(stream, 4)).toString()).to.equal('ping')
  })

  it('takes frames that came in one segment with the request', async () => {
    await harness.open('ws://127.0.0.1:0')
    const next = harness.next()
    const client = await harness.dial()
    client.write(Buffer.concat([Buffer.from(UPGRADE), Buffer.from('8284000000006d717474', 'hex')]))
    const { stream } = await next
    expect((await read(stream, 4)).toString()).to.equal('mqtt')
  })

  describe('the stream', () => {
    const open = async (): Promise<{ stream: Duplex; socket: WebSocket }> => {
      await harness.open('ws://127.0.0.1:0')
      const next = harness.next()
      const socket = dial()
      const { stream } = await next
      if (socket.readyState !== socket.OPEN) await once(socket, 'open')
      return { stream, socket }
    }

    it('stops the client when its reader pauses, and loses nothing', async () => {
      const { stream, socket } = await open()
      let got = 0
      stream.on('data', (chunk: Buffer) => (got += chunk.length))
      stream.pause()
      const total = 64 * 1024 * 1024
      const chunk = Buffer.alloc(65_536)
      for (let sent = 0; sent < total; sent += chunk.length) socket.send(chunk)
      // what the kernel and two buffers hold is far less than what was sent
      await eventually('the client is held back', () => {
        const before = socket.bufferedAmount
        return before > total / 4 && before < total
      })
      expect(got).to.equal(0)
      expect(stream.readableLength).to.be.lessThan(512 * 1024)
      stream.resume()
      await eventually('all is read', () => got === total)
    })

    it('tells by writableLength what the client has not taken, and by drain that it has', async () => {
      const { stream, socket } = await open()
      socket.pause()
      const chunk = Buffer.alloc(65_536)
      let written = 0
      while (stream.writableLength < 1024 * 1024 && written < 256 * 1024 * 1024) {
        stream.write(chunk)
        written += chunk.length
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(stream.writableLength).to.be.at.least(1024 * 1024)
      expect(stream.writableNeedDrain).to.equal(true)
      let got = 0
      socket.on('message', (data: Buffer) => (got += data.length))
      const drained = once(stream, 'drain')
      socket.resume()
      await drained
      expect(stream.writableLength).to.equal(0)
      await eventually('all is read', () => got === written)
    })

    it('holds nothing that the kernel took', async () => {
      const { stream } = await open()
      stream.write(Buffer.alloc(1000))
      expect(stream.writableLength).to.equal(0)
    })

    it('sends what was corked in one frame, and large pieces uncopied in order', async () => {
      const { stream, socket } = await open()
      const messages: Buffer[] = []
      socket.on('message', (data: Buffer) => messages.push(data))
      stream.cork()
      for (const part of ['a', 'b', 'c']) stream.write(Buffer.from(part))
      stream.uncork()
      await eventually('it is there', () => messages.length > 0)
      expect(messages.map(String)).to.deep.equal(['abc'])
      stream.cork()
      for (const fill of [1, 2, 3]) stream.write(Buffer.alloc(10_000, fill))
      stream.uncork()
      await eventually('they are there', () => messages.length === 4)
      expect(messages.slice(1).map((one) => one[0])).to.deep.equal([1, 2, 3])
    })

    it('delivers what was written before end(), then closes', async () => {
      const { stream, socket } = await open()
      const got: string[] = []
      socket.on('message', (data: Buffer) => got.push(data.toString()))
      const ended = once(socket, 'close')
      stream.end(Buffer.from('bye'))
      expect((await ended)[0]).to.equal(1000)
      expect(got).to.deep.equal(['bye'])
      await closed(stream)
    })

    it('closes also when a paused reader ends', async () => {
      const { stream, socket } = await open()
      stream.pause()
      socket.send(Buffer.alloc(300_000))
      await eventually('the reader is full', () => stream.readableLength > 0)
      const ended = once(socket, 'close')
      stream.end()
      await ended
      stream.resume()
      await closed(stream)
    })

    it('reads all that was sent before the client closed', async () => {
      const { stream, socket } = await open()
      stream.pause()
      socket.send(Buffer.from('last words'))
      socket.close()
      await eventually('they are here', () => stream.readableLength === 10)
      const got: Buffer[] = []
      let failed = false
      stream.on('error', () => (failed = true))
      stream.on('data', (chunk: Buffer) => got.push(chunk))
      // written to nobody, as over TCP
      stream.write('too late')
      stream.resume()
      await closed(stream)
      expect(Buffer.concat(got).toString()).to.equal('last words')
      expect(failed).to.equal(false)
    })

    it('cuts the client off with destroy()', async () => {
      const { stream, socket } = await open()
      const ended = once(socket, 'close')
      stream.destroy()
      expect((await ended)[0]).to.equal(1006)
      await closed(stream)
    })

    it('closes when the client vanishes', async () => {
      const { stream, socket } = await open()
      stream.resume()
      socket.terminate()
      await closed(stream)
    })

    it('holds a bounded number of pongs for a client that pings and does not read', async () => {
      await harness.open('ws://127.0.0.1:0')
      const next = harness.next()
      const client = await harness.dial()
      client.write(UPGRADE)
      const { stream } = await next
      client.pause()
      const ping = Buffer.alloc(6 + 125)
      ping.set([0x89, 0x80 | 125])
      const pings = Buffer.concat(Array.from({ length: 1000 }, () => ping))
      for (let i = 0; i < 2000 && !stream.closed; i++) {
        if (!client.write(pings)) await new Promise((resolve) => setImmediate(resolve))
      }
      await eventually('it is cut off', () => stream.closed)
    })
  })

  it('names the client behind a PROXY header, with its request in the same segment or a later one', async () => {
    await harness.open('ws://127.0.0.1:0?proxy=1')
    for (const together of [true, false]) {
      const port = await harness.proxy('PROXY TCP4 192.0.2.1 198.51.100.1 4660 80\r\n', together)
      const next = harness.next()
      const socket = dial({}, ['mqtt'], `ws://127.0.0.1:${port}/mqtt`)
      const { stream, info } = await next
      expect([info.remoteAddress, info.remotePort]).to.deep.equal(['192.0.2.1', 4660])
      if (socket.readyState !== socket.OPEN) await once(socket, 'open')
      socket.send(Buffer.from('ping'))
      expect((await read(stream, 4)).toString()).to.equal('ping')
    }
  })

  it('serves wss:// with client certificates, also behind a PROXY header', async () => {
    const files = new PemDirectory()
    const authority = await makeAuthority('cinque test CA')
    const server = await authority.server()
    await harness.open('wss://127.0.0.1:0?proxy=1', {
      tls: {
        cert: files.write('server.pem', server.cert),
        key: files.write('server.key', server.key),
        ca: files.write('ca.pem', authority.cert),
        client_certificate: 'required',
        identity: 'cn',
        min_version: 'TLSv1.2',
      },
    })
    files.remove()
    const port = await harness.proxy('PROXY TCP4 192.0.2.1 198.51.100.1 4660 443\r\n', true)
    const next = harness.next()
    const identity = await authority.client('device-7')
    const socket = dial({ ca: authority.cert, ...identity }, ['mqtt'], `wss://localhost:${port}/mqtt`)
    const { stream, info } = await next
    expect(info).to.include({ remoteAddress: '192.0.2.1', remotePort: 4660, protocol: 'wss' })
    expect(info.certificate?.cn).to.equal('device-7')
    if (socket.readyState !== socket.OPEN) await once(socket, 'open')
    socket.send(Buffer.from('ping'))
    expect((await read(stream, 4)).toString()).to.equal('ping')
  })

  describe('on the port of an HTTP server', () => {
    let server: http.Server
    beforeEach(async () => {
      server = http.createServer((_request, response) => response.end('API'))
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
    })
    afterEach(() => {
      server.closeAllConnections()
      server.close()
    })

    it('serves MQTT on its path beside the API, until it is taken off', async () => {
      const port = portOf(server)
      const accept = harness.collect()
      const detach = attachWebSocket(server, '/mqtt', accept, { log: harness.log, metrics: harness.metrics })
      const next = harness.next()
      const socket = dial({}, ['mqtt'], `ws://127.0.0.1:${port}/mqtt`)
      const { stream, info } = await next
      expect(info).to.include({
        listener: `ws://127.0.0.1:${port}/mqtt`,
        protocol: 'ws',
        remoteAddress: '127.0.0.1',
      })
      if (socket.readyState !== socket.OPEN) await once(socket, 'open')
      socket.send(Buffer.from('ping'))
      expect((await read(stream, 4)).toString()).to.equal('ping')
      expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).to.equal('API')
      expect(await status(dial({}, ['mqtt'], `ws://127.0.0.1:${port}/other`))).to.equal(404)
      expect(harness.refused('websocket_upgrade')).to.equal(1)
      detach()
      socket.send(Buffer.from('ping'))
      expect((await read(stream, 4)).toString()).to.equal('ping')
      expect(await status(dial({}, ['mqtt'], `ws://127.0.0.1:${port}/mqtt`))).to.equal(200)
      expect(harness.accepted).to.have.length(1)
    })

    it("leaves other paths to the server's other upgrades", async () => {
      const port = portOf(server)
      attachWebSocket(server, '/mqtt', harness.collect(), { log: harness.log })
      server.on('upgrade', (request, socket) => {
        if (request.url === '/live') socket.end('HTTP/1.1 418 Other\r\nContent-Length: 0\r\n\r\n')
      })
      expect(await status(dial({}, ['mqtt'], `ws://127.0.0.1:${port}/live`))).to.equal(418)
    })
  })
})
