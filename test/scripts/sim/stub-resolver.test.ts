import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { decode, encode } from 'dns-packet'
import { expect } from 'chai'
import { dial } from '#scripts/sim/dial.ts'
import { StubResolver } from '#scripts/sim/stub-resolver.ts'

/** A simulated device that kept an old answer for ever would show a failover that no real device has, or hide one. */
describe('names of simulated devices', () => {
  let server: Socket
  let servers: string[]
  let asked: { name: string; from: string }[]
  let answer: string[]

  beforeEach(async () => {
    asked = []
    answer = ['127.0.0.1']
    server = createSocket('udp4')
    server.on('message', (message, { address, port }) => {
      const { id, questions = [] } = decode(message)
      const [{ name }] = questions
      asked.push({ name, from: address })
      const answers = answer.map((data) => ({ type: 'A' as const, name, ttl: 20, data }))
      server.send(encode({ type: 'response', id, questions, answers }), port, address)
    })
    server.bind(0, '127.0.0.1')
    await once(server, 'listening')
    servers = [`127.0.0.1:${server.address().port}`]
  })
  afterEach(() => server.close())

  it('are kept for the TTL and asked for again after it, together once', async () => {
    let now = 0
    const resolver = new StubResolver({ servers, now: () => now })
    const both = await Promise.all([resolver.resolve('mqtt.cell.test'), resolver.resolve('mqtt.cell.test')])
    expect(both).to.deep.equal([['127.0.0.1'], ['127.0.0.1']])
    answer = ['127.0.0.2', '127.0.0.3']
    now = 19_999
    expect(await resolver.resolve('mqtt.cell.test')).to.deep.equal(['127.0.0.1'])
    expect(asked).to.have.length(1)
    now = 20_000
    expect(await resolver.resolve('mqtt.cell.test')).to.deep.equal(['127.0.0.2', '127.0.0.3'])
  })

  it('are asked for from the place that the device is in', async () => {
    const resolver = new StubResolver({ servers, from: '127.50.203.4' })
    await resolver.resolve('mqtt.cell.test')
    expect(asked).to.deep.equal([{ name: 'mqtt.cell.test', from: '127.50.203.4' }])
  })

  it('are found at the next server when the first does not answer', async () => {
    const silent = createSocket('udp4').bind(0, '127.0.0.1')
    await once(silent, 'listening')
    const resolver = new StubResolver({
      servers: [`127.0.0.1:${silent.address().port}`, ...servers],
      timeoutMs: 100,
    })
    expect(await resolver.resolve('mqtt.cell.test')).to.deep.equal(['127.0.0.1'])
    silent.close()
  })

  it('that are not there are an error, which is not kept', async () => {
    const resolver = new StubResolver({ servers })
    answer = []
    const failure = await resolver
      .resolve('mqtt.cell.test')
      .catch((error: NodeJS.ErrnoException) => error.code)
    expect(failure).to.equal('ENODATA')
    answer = ['127.0.0.1']
    expect(await resolver.resolve('mqtt.cell.test')).to.deep.equal(['127.0.0.1'])
  })

  it('lead a connection to the address, from the own one', async () => {
    const broker = createServer().listen(0, '127.0.0.1')
    await once(broker, 'listening')
    const { port } = broker.address() as { port: number }
    const url = `mqtt://mqtt.cell.test:${port}`
    const socket = dial({ url, resolver: new StubResolver({ servers }), from: '127.50.203.4' })
    await once(socket, 'connect')
    expect([socket.remoteAddress, socket.localAddress]).to.deep.equal(['127.0.0.1', '127.50.203.4'])
    socket.destroy()
    answer = []
    const lost = dial({ url, resolver: new StubResolver({ servers }) })
    const [error] = (await once(lost, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).to.equal('ENODATA')
    broker.close()
  })
})
