import { writeFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { once } from 'node:events'
import { expect } from 'chai'
import { open } from 'lmdb'
import mqtt from 'mqtt'
import { type Child, cinque, run, temporaryFolder } from './child.ts'

const anyPort = ['--listen', 'tcp://127.0.0.1:0']

async function ready(child: Child): Promise<string[]> {
  const [, urls] = await child.said(/^ready (.*)\n/m)
  return urls.split(' ')
}

function connect(url: string): Promise<mqtt.MqttClient> {
  return mqtt.connectAsync(url.replace(/^tcp:/, 'mqtt:'), { reconnectPeriod: 0 }, false)
}

describe('cinque broker', () => {
  let folder: ReturnType<typeof temporaryFolder>
  let children: Child[]
  beforeEach(() => {
    folder = temporaryFolder()
    children = []
  })
  afterEach(async () => {
    await Promise.all(children.map((child) => child.end('SIGKILL')))
    folder.remove()
  })

  function broker(...args: string[]): Child {
    const child = cinque(['broker', ...args], { cwd: folder.path })
    children.push(child)
    return child
  }

  it('prints ready with the real address of every listener, and exits with 0 on SIGTERM and on SIGINT', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const child = broker('--memory', '--anonymous', ...anyPort, '--listen', 'ws://127.0.0.1:0')
      const urls = await ready(child)
      expect(urls).to.have.length(2)
      for (const url of urls) {
        const client = await connect(url)
        await client.endAsync()
      }
      expect(await child.end(signal)).to.include({ code: 0, stdout: `ready ${urls.join(' ')}\n` })
    }
  })

  it('tells connected clients of its end before it goes', async () => {
    const child = broker('--memory', '--anonymous', ...anyPort)
    const [url] = await ready(child)
    const client = mqtt.connect(url.replace(/^tcp:/, 'mqtt:'), { protocolVersion: 5, reconnectPeriod: 0 })
    await new Promise<void>((resolve) => client.once('connect', () => resolve()))
    const told = new Promise<mqtt.IDisconnectPacket>((resolve) => client.once('disconnect', resolve))
    child.signal('SIGTERM')
    expect((await told).reasonCode).to.equal(0x8b)
    expect(await child.end()).to.include({ code: 0 })
  })

  it('keeps retained messages with --data, also over kill -9', async () => {
    const data = join(folder.path, 'data')
    const first = broker('--data', data, '--anonymous', ...anyPort)
    const publisher = await connect((await ready(first))[0])
    await publisher.publishAsync('kept', 'yes', { qos: 1, retain: true })
    expect((await first.end('SIGKILL')).code).to.equal(null)
    publisher.end(true)

    const second = broker('--data', data, '--anonymous', ...anyPort)
    const reader = await connect((await ready(second))[0])
    const received = new Promise<string>((resolve) => {
      reader.once('message', (topic, payload) => resolve(`${topic} ${payload.toString()}`))
    })
    await reader.subscribeAsync('kept')
    expect(await received).to.equal('kept yes')
    await reader.endAsync()
  })

  it('refuses clients without user name unless --anonymous is given', async () => {
    const closed = broker('--memory', ...anyPort, '--set', 'auth.users=[{username: u, password: p}]')
    const [url] = await ready(closed)
    const refusal = await connect(url).then(
      () => 'connected',
      (error: Error) => error.message,
    )
    expect(refusal).to.match(/bad username or password|not authorized/i)
    const user = await mqtt.connectAsync(url.replace(/^tcp:/, 'mqtt:'), { username: 'u', password: 'p' })
    await user.endAsync()
  })

  it('goes on after SIGHUP, which only reads certificates again', async () => {
    const child = broker('--memory', '--anonymous', ...anyPort)
    const [url] = await ready(child)
    const client = await connect(url)
    child.signal('SIGHUP')
    await client.publishAsync('a', 'b', { qos: 1 })
    await client.endAsync()
    expect((await child.end('SIGTERM')).code).to.equal(0)
  })

  it('serves Prometheus metrics where it is told to', async () => {
    const child = broker('--memory', ...anyPort, '--metrics', '127.0.0.1:0')
    await ready(child)
    const [, url] = /^metrics (\S+)$/m.exec(child.stdout) ?? []
    const response = await fetch(url)
    expect(response.headers.get('content-type')).to.match(/^text\/plain; version=0\.0\.4/)
    expect(await response.text()).to.match(/^cinque_mqtt_connects_total 0$/m)
    expect((await fetch(url.replace('/metrics', '/'))).status).to.equal(404)
    expect((await child.end('SIGTERM')).code).to.equal(0)
  })

  it('logs the packets of a client that is traced, and of no other', async () => {
    const child = broker('--memory', '--anonymous', ...anyPort, '--trace', 'watched')
    const [url] = await ready(child)
    for (const clientId of ['watched', 'other']) {
      const client = await mqtt.connectAsync(url.replace(/^tcp:/, 'mqtt:'), { clientId })
      await client.publishAsync('some/topic', 'x', { qos: 1, retain: true })
      await client.endAsync()
    }
    const { stderr } = await child.end('SIGTERM')
    const lines = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    const traced = lines.filter(({ event }) => event === 'trace')
    expect(traced.map(({ msg }) => msg).join('\n')).to.match(/^PUBLISH some\/topic qos 1 id \d+$/m)
    expect(traced.every(({ client }) => client === 'watched')).to.equal(true)
  })

  it('prints one JSON document with --json', async () => {
    const child = broker('--memory', '--json', ...anyPort)
    const [line] = await child.said(/^.*\n/)
    expect(JSON.parse(line)).to.have.property('ready').that.has.length(1)
    await child.end('SIGTERM')
  })

  it('reads its configuration from file and environment too', async () => {
    writeFileSync(join(folder.path, 'c.yaml'), 'listen: [ "tcp://127.0.0.1:0" ]\nauth: { anonymous: true }')
    const child = broker('--config', 'c.yaml')
    const client = await connect((await ready(child))[0])
    await client.endAsync()
    await child.end('SIGTERM')
  })

  it('prints effective values with their origins', async () => {
    const { code, stdout } = await run(['broker', '--set', 'mqtt.maximum_qos=1', '--print-config'])
    expect(code).to.equal(0)
    expect(stdout).to.match(/^mqtt\.maximum_qos = 1 {2}# --set$/m)
    expect(stdout).to.match(/^mqtt\.max_inflight = \d+ {2}# default$/m)
    const json: unknown = JSON.parse((await run(['broker', '--print-config', '--json'])).stdout)
    expect(json).to.deep.include({ log_level: { value: 'info', origin: 'default' } })
  })

  it('lists every key in --help', async () => {
    const { code, stdout } = await run(['broker', '--help'])
    expect(code).to.equal(0)
    expect(stdout).to.match(/^ {2}mqtt\.receive_maximum {2}\(default \d+; a whole number from 1 to 65535\)$/m)
  })

  describe('that cannot start says why in one line and exits with 1:', () => {
    async function refusal(...args: string[]): Promise<string> {
      const { code, stdout, stderr } = await broker(...args, '--set', 'log_level=silent').end()
      expect(code, stderr).to.equal(1)
      expect(stdout).to.equal('')
      expect(stderr).to.not.match(/^\s+at /m)
      return stderr
    }

    it('port in use', async () => {
      const other = net.createServer().listen(0, '127.0.0.1')
      await once(other, 'listening')
      const { port } = other.address() as AddressInfo
      expect(await refusal('--memory', '--listen', `tcp://127.0.0.1:${port}`)).to.match(
        new RegExp(`^cinque: .*port ${port} is in use`),
      )
      other.close()
    })

    it('a certificate that is not there', async () => {
      const tls = ['--set', 'tls.cert=none.pem', '--set', 'tls.key=none.pem']
      expect(await refusal('--memory', '--listen', 'tls://127.0.0.1:0', ...tls)).to.match(
        /^cinque: .*none\.pem/,
      )
    })

    it('a certificate that is none', async () => {
      const pem = join(folder.path, 'bad.pem')
      writeFileSync(pem, 'not a certificate')
      const tls = ['--set', `tls.cert=${pem}`, '--set', `tls.key=${pem}`]
      expect(await refusal('--memory', '--listen', 'tls://127.0.0.1:0', ...tls)).to.match(
        /^cinque: .*bad\.pem/,
      )
    })

    it('a data directory that is a file', async () => {
      const file = join(folder.path, 'file')
      writeFileSync(file, '')
      expect(await refusal('--data', file, ...anyPort)).to.match(/^cinque: .*file is not a directory/)
    })

    it('a data directory in use', async () => {
      const data = join(folder.path, 'data')
      await ready(broker('--data', data, ...anyPort))
      expect(await refusal('--data', data, ...anyPort)).to.match(
        /^cinque: .*data is in use by another process/,
      )
    })

    it('data of a newer version, which stay as they are', async () => {
      const data = join(folder.path, 'data')
      const first = broker('--data', data, ...anyPort)
      await ready(first)
      await first.end('SIGTERM')
      const key = Buffer.from('\0format')
      const newer = Buffer.from(JSON.stringify({ format: 999, identity: 'x', created: '' }))
      const raw = open<Buffer, Buffer>({
        path: data,
        noSubdir: false,
        encoding: 'binary',
        keyEncoding: 'binary',
      })
      await raw.put(key, newer)
      await raw.close()
      expect(await refusal('--data', data, ...anyPort)).to.match(/^cinque: .*format 999.*newer version/)
      const again = open<Buffer, Buffer>({
        path: data,
        noSubdir: false,
        encoding: 'binary',
        keyEncoding: 'binary',
      })
      expect(again.get(key)?.toString()).to.equal(newer.toString())
      await again.close()
    })
  })
})
