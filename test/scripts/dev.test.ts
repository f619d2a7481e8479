import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect } from 'chai'
import mqtt from 'mqtt'
import { type Child, cinque, type Finished, temporaryFolder } from './child.ts'
import { eventually } from '../patience.ts'

interface Ready {
  url: string
  mqtt: string
  ws: string
  token: string
  device: { name: string; key: string } | null
}

const topic = 'v1/devices/me/telemetry'

describe('cinque dev', () => {
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

  function start(...args: string[]): Child {
    const child = cinque(args, { cwd: folder.path })
    children.push(child)
    return child
  }
  const dev = (...args: string[]): Child => start('dev', '--mqtt-port', '0', '--http-port', '0', ...args)

  async function ready(child: Child): Promise<Ready> {
    const [line] = await child.said(/^\{.*\n/)
    return JSON.parse(line) as Ready
  }

  async function cli(...args: string[]): Promise<Finished> {
    return start(...args).end()
  }

  async function get(at: Ready, path: string): Promise<unknown> {
    const response = await fetch(`${at.url}${path}`, { headers: { authorization: `Bearer ${at.token}` } })
    expect(response.status, path).to.equal(200)
    return response.json()
  }

  async function publish(url: string, device: Ready['device'], values: object): Promise<void> {
    const client = await mqtt.connectAsync(
      url,
      { username: device?.name ?? '', password: device?.key ?? '', reconnectPeriod: 0 },
      false,
    )
    await client.publishAsync(topic, JSON.stringify(values), { qos: 1 })
    await client.endAsync()
  }

  it('stores what the device it made publishes, and keeps it with key and token over a restart', async () => {
    const first = dev('--json')
    const at = await ready(first)
    expect(at.device?.name).to.equal('thermo-1')
    await publish(at.mqtt, at.device, { temp: 21.5 })
    await publish(at.ws, at.device, { humidity: 40 })
    const before = await get(at, '/v1/devices/thermo-1/latest')
    expect(before).to.have.property('items').that.has.length(2)
    expect((await first.end('SIGTERM')).code).to.equal(0)
    const data = join(folder.path, 'cinque-data')
    expect(existsSync(join(data, 'running.json'))).to.equal(false)
    expect(statSync(join(data, 'dev-secrets.json')).mode & 0o777).to.equal(0o600)

    const again = await ready(dev('--json'))
    expect(again).to.deep.include({ device: at.device, token: at.token })
    expect(await get(again, '/v1/devices/thermo-1/latest')).to.deep.equal(before)
    await publish(again.mqtt, again.device, { temp: 22 })
  })

  it('prints lines to copy that work as they are', async () => {
    const child = dev('--memory')
    const [banner] = await child.said(/[^]* sim --devices [^]*\n\n/)
    const [, key] =
      /mosquitto_pub -h 127\.0\.0\.1 -p \d+ -u thermo-1 -P (k_[0-9a-f]{32}) -q 1 -t v1\/devices\/me\/telemetry -m '\{"temp":21\.5\}'/.exec(
        banner,
      ) ?? []
    expect(key, banner).to.be.a('string')
    const curls = [...banner.matchAll(/^ {2}curl -H 'authorization: (.*?)'( -d '(.*?)')? '?(http:\S*?)'?$/gm)]
    expect(curls, banner).to.have.length(3)
    for (const [, authorization, , body, url] of curls) {
      const headers = { authorization, 'content-type': 'application/x-www-form-urlencoded' }
      const response = await fetch(url, body === undefined ? { headers } : { method: 'POST', headers, body })
      expect(response.ok, `${url} ${response.status}`).to.equal(true)
      if (body === undefined) expect(await response.text()).to.include('21.5')
    }
    expect((await child.end('SIGINT')).code).to.equal(0)
    expect(existsSync(join(folder.path, 'cinque-data'))).to.equal(false)
  })

  it('lets the first administrator be made by the link that it prints, once', async () => {
    const child = dev('--memory')
    const [, base, token] = await child.said(/^ {2}Admin {5}(\S+)\/account#setup=(s_[0-9a-f]{40}) {3}\(/m)
    expect((await fetch(`${base}/account`)).status).to.equal(200)
    const person = { email: 'ann@example.com', password: 'a good password' }
    const post = (path: string, body: object): Promise<Response> =>
      fetch(`${base}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    expect((await post('/v1/setup', { token, ...person })).status).to.equal(201)
    expect((await post('/v1/setup', { token, ...person })).status).to.equal(400)
    const session = (await (await post('/v1/sessions', person)).json()) as { access_token: string }
    const headers = { authorization: `Bearer ${session.access_token}` }
    const { items } = (await (await fetch(`${base}/v1/audit`, { headers })).json()) as {
      items: { operation: string; actor: { name: string } }[]
    }
    expect(items.map(({ operation, actor }) => [operation, actor.name])).to.deep.include.members([
      ['createDevice', 'cinque dev'],
      ['setUp', 'ann@example.com'],
    ])
  })

  it('lets devices be added, listed, given new keys and removed from another terminal', async () => {
    const at = await ready(dev('--json'))
    const added = JSON.parse((await cli('devices', 'add', 'pump-1', '--json')).stdout) as {
      name: string
      key: string
    }
    await publish(at.mqtt, added, { on: true })
    const twice = await cli('devices', 'add', 'pump-1')
    expect(twice).to.include({ code: 1 })
    expect(twice.stderr).to.match(/^cinque: .*"pump-1" exists already$/m)

    const rotated = JSON.parse((await cli('devices', 'rotate', 'pump-1', '--json')).stdout) as typeof added
    expect(rotated.key).to.not.equal(added.key)
    expect(await publish(at.mqtt, added, {}).catch((error: Error) => error.message)).to.match(/refused/i)
    await publish(at.mqtt, rotated, { on: false })

    expect((await cli('devices', 'list')).stdout).to.match(/^NAME +ID +CREATED\npump-1 .*\nthermo-1 .*\n$/)
    expect(await cli('devices', 'rm', 'pump-1')).to.include({ code: 0, stdout: 'removed pump-1\n' })
    expect((await cli('devices', 'rm', 'pump-1')).code).to.equal(1)
    const left = JSON.parse((await cli('devices', 'list', '--json')).stdout) as {
      devices: { name: string }[]
    }
    expect(left.devices.map(({ name }) => name)).to.deep.equal(['thermo-1'])
    expect(await cli('token')).to.include({ code: 0, stdout: `${at.token}\n` })
  })

  it('shows live what simulated devices send', async () => {
    const at = await ready(dev('--json'))
    const tail = start('tail', '--json')
    await expectStream(at)
    const sim = await cli('sim', '--devices', '3', '--rate', '30', '--seconds', '1', '--json')
    expect(sim.code, sim.stderr).to.equal(0)
    const summary = JSON.parse(sim.stdout.trim().split('\n').at(-1) ?? '') as Record<string, number>
    expect(summary.event).to.equal('summary')
    expect(summary.sent).to.be.greaterThan(0)
    expect(summary.acknowledged).to.equal(summary.sent)
    const [line] = await tail.said(/^\{.*"sim-\d".*\n/m)
    expect(JSON.parse(line)).to.have.keys('device', 'key', 'ts', 'value')
    expect((await tail.end('SIGINT')).code).to.equal(0)
    // A second run uses the same devices again.
    expect((await cli('sim', '--devices', '2', '--seconds', '1', '--json')).code).to.equal(0)
    expect(await get(at, '/v1/devices/sim-2/latest'))
      .to.have.property('items')
      .that.has.length(2)
  })

  it('goes on showing values after a restart of the platform', async () => {
    const first = dev('--json')
    const at = await ready(first)
    const tail = start('tail', '--json')
    await expectStream(at)
    await publish(at.mqtt, at.device, { before: 1 })
    await tail.said(/"before"/)
    await first.end('SIGTERM')
    const second = start('dev', '--mqtt-port', '0', '--http-port', new URL(at.url).port, '--json')
    const again = await ready(second)
    await expectStream(again)
    await publish(again.mqtt, again.device, { after: 2 })
    await tail.said(/"after"/)
    expect((await tail.end('SIGTERM')).code).to.equal(0)
  })

  /** Waits until the platform has a live stream open. */
  function expectStream(at: Ready): Promise<void> {
    return eventually('cinque tail is connected', async () => {
      const metrics = await (await fetch(`${at.url}/metrics`)).text()
      return /^cinque_live_streams 1$/m.test(metrics)
    })
  }

  it('does not show a key that is not valid any more', async () => {
    const first = dev('--json')
    await ready(first)
    expect((await cli('devices', 'rm', 'thermo-1')).code).to.equal(0)
    await first.end('SIGTERM')
    const second = dev()
    const [banner] = await second.said(/[^]* sim --devices [^]*\n\n/)
    expect(banner).to.match(/^ {2}Device {4}add one: .*cinque devices add NAME$/m)
    expect(banner).to.not.match(/k_[0-9a-f]{32}/)
  })

  it('says which port is in use and how to take another one', async () => {
    const other = net.createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const taken = String((other.address() as AddressInfo).port)
    const mqttTaken = await start('dev', '--memory', '--http-port', '0', '--mqtt-port', taken).end()
    expect(mqttTaken).to.include({ code: 1, stdout: '' })
    expect(mqttTaken.stderr).to.match(
      new RegExp(`^cinque: listener tcp://127.0.0.1:${taken}: port ${taken} is in use.*\\n.*--mqtt-port 0`),
    )
    const httpTaken = await start('dev', '--memory', '--mqtt-port', '0', '--http-port', taken).end()
    expect(httpTaken).to.include({ code: 1, stdout: '' })
    expect(httpTaken.stderr).to.match(
      new RegExp(`^cinque: port ${taken} \\(HTTP\\) is in use.*\\n.*--http-port 0`),
    )
    other.close()
  })

  it('refuses a data directory that another one uses, which goes on undisturbed', async () => {
    const at = await ready(dev('--json'))
    const second = await dev().end()
    expect(second.code).to.equal(1)
    expect(second.stderr).to.match(/^cinque: .*cinque-data is in use by another process\n.*--data DIR/)
    await publish(at.mqtt, at.device, { temp: 1 })
    expect((await cli('token')).code).to.equal(0)
  })

  it('listens on this machine only', async () => {
    const at = await ready(dev('--memory', '--json'))
    for (const url of [at.url, at.mqtt, at.ws]) expect(new URL(url).hostname).to.equal('127.0.0.1')
  })
})
