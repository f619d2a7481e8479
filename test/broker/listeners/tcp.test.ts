import { expect } from 'chai'
import net from 'node:net'
import { type Accepted, Harness, closed, read } from './harness.ts'

describe('TCP listener', () => {
  let harness: Harness
  beforeEach(() => (harness = new Harness()))
  afterEach(() => harness.close())

  it('hands the bare socket on: nothing of ours stays on an idle connection', async () => {
    const accepted: Accepted[] = []
    await harness.open('tcp://127.0.0.1:0', {
      accept: (stream, info, head) => accepted.push({ stream, info, head }),
    })
    const client = await harness.dial()
    while (accepted.length === 0) await new Promise((resolve) => setImmediate(resolve))
    const [{ stream, info, head }] = accepted
    const fresh = new net.Socket()
    expect(stream).to.be.instanceOf(net.Socket)
    expect(stream.eventNames()).to.deep.equal(fresh.eventNames())
    for (const event of fresh.eventNames())
      expect(stream.listenerCount(event), String(event)).to.equal(fresh.listenerCount(event))
    expect(head).to.equal(null)
    expect(info).to.deep.equal({
      remoteAddress: '127.0.0.1',
      remotePort: client.localPort,
      listener: `tcp://127.0.0.1:${harness.port}`,
      protocol: 'tcp',
    })
    stream.destroy()
  })

  it('carries bytes both ways', async () => {
    await harness.open('tcp://127.0.0.1:0')
    const next = harness.next()
    const client = await harness.dial()
    const { stream } = await next
    client.write('ping')
    expect((await read(stream, 4)).toString()).to.equal('ping')
    stream.write('pong')
    expect((await read(client, 4)).toString()).to.equal('pong')
  })

  it('names an IPv4 client as such on a dual-stack port', async () => {
    await harness.open('tcp://[::]:0')
    const next = harness.next()
    await harness.dial()
    expect((await next).info.remoteAddress).to.equal('127.0.0.1')
  })

  it('says that the port is in use', async () => {
    await harness.open('tcp://127.0.0.1:0')
    const other = new Harness()
    const url = `tcp://127.0.0.1:${harness.port}`
    const error: unknown = await other.open(url).catch((reason: unknown) => reason)
    expect(error)
      .to.be.instanceOf(Error)
      .with.property(
        'message',
        `listener ${url}: port ${harness.port} is in use; stop the other process or choose another port`,
      )
  })

  it('shares a port that all of its listeners want to share, and with no other', async () => {
    if (process.platform !== 'linux') return
    await harness.open('tcp://127.0.0.1:0?reuse_port=1')
    const url = `tcp://127.0.0.1:${harness.port}`
    const other = new Harness()
    await other.open(`${url}?reuse_port=1`)
    // Whom the kernel gives a connection to is chance.
    while (harness.accepted.length === 0 || other.accepted.length === 0) {
      const clients = Array.from({ length: 10 }, () => harness.dial())
      await Promise.all(clients)
    }
    expect(await new Harness().open(url).catch((reason: unknown) => String(reason))).to.match(/is in use/)
    await other.close()
  })

  it('says that an address is not of this machine', async () => {
    const error: unknown = await harness.open('tcp://192.0.2.1:0').catch((reason: unknown) => reason)
    expect(error)
      .to.be.instanceOf(Error)
      .with.property('message')
      .that.matches(/192\.0\.2\.1 is not an address of this/)
  })

  it('stops accepting while open connections go on, and frees the port', async () => {
    const listener = await harness.open('tcp://127.0.0.1:0')
    const next = harness.next()
    const client = await harness.dial()
    const { stream } = await next
    listener.stopAccepting()
    const refused = net.connect(harness.port, '127.0.0.1')
    refused.on('error', () => {})
    await closed(refused)
    client.write('still here')
    expect((await read(stream, 10)).toString()).to.equal('still here')
    await listener.close()
    const again = new Harness()
    await again.open(`tcp://127.0.0.1:${harness.port}`)
    await again.close()
  })
})
