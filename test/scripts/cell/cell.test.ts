import { expect } from 'chai'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { get } from 'node:https'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'mocha'
import mqtt from 'mqtt'
import { type CellStatus, type DcStatus } from '#scripts/cell/cell.ts'
import { askLauncher } from '#scripts/cell/control.ts'
import { createClient } from '#client/index.ts'
import { cleanEnv, entry, temporaryFolder } from '../child.ts'

/** The first time fetches and builds the engines. */
const startMs = 600_000
const net = 213

/** Two DCs are enough to see that the launcher keeps its word; what five promise is in test/cluster. */
describe('cinque dev --dcs', function () {
  this.timeout(startMs)
  let folder: ReturnType<typeof temporaryFolder>
  let launcher: ChildProcess
  let told: string[]
  let ready: CellStatus & { token: string; device: { name: string; key: string } }

  async function start(): Promise<void> {
    told = []
    launcher = spawn(
      process.execPath,
      [entry, 'dev', '--dcs', '2', '--no-checkers', '--net', String(net), '--data', folder.path, '--json'],
      { stdio: ['ignore', 'pipe', 'pipe'], env: cleanEnv() },
    )
    createInterface({ input: launcher.stderr ?? process.stdin }).on('line', (line) => told.push(line))
    const lines = createInterface({ input: launcher.stdout ?? process.stdin })
    const line = await Promise.race([
      once(lines, 'line'),
      once(launcher, 'exit').then(() => {
        throw new Error(`the launcher ended: ${told.join('\n')}`)
      }),
    ])
    ready = JSON.parse(String(line[0])) as typeof ready
  }
  async function end(signal: NodeJS.Signals): Promise<number | null> {
    launcher.kill(signal)
    await once(launcher, 'exit')
    return launcher.exitCode
  }

  before(async () => {
    folder = temporaryFolder()
    await start()
  })
  after(async () => {
    if (launcher.exitCode === null && launcher.signalCode === null) await end('SIGKILL')
    folder.remove()
  })

  function dc(name: string, status: CellStatus = ready): DcStatus {
    return status.dcs.find((one) => one.name === name) ?? expect.fail(`no ${name}`)
  }
  function states(status: DcStatus): string[] {
    return status.parts.map(({ kind, state }) => `${kind} ${state}`)
  }
  async function names(of: DcStatus): Promise<string[]> {
    const client = createClient({ url: of.http, token: ready.token })
    return (await Array.fromAsync(client.items('/v1/devices'))).map(({ name }) => name)
  }
  async function latest(of: DcStatus): Promise<unknown> {
    const response = await fetch(`${of.http}/v1/devices/${ready.device.name}/latest`, {
      headers: { authorization: `Bearer ${ready.token}` },
    })
    const { items } = (await response.json()) as { items?: { value: unknown }[] }
    return items?.[0]?.value
  }

  it('has everything running in each DC, and says how long each step took', () => {
    for (const each of ready.dcs) {
      expect(states(each)).to.deep.equal([
        'cassandra running',
        'nats running',
        'broker running',
        'api running',
      ])
    }
    expect(told.join('\n')).to.match(/dc02-n1-cassandra \d+\.\d s[\s\S]*dc01-n1-broker1 \d+\.\d s/)
  })

  it('takes a value in one DC that is read in the other', async () => {
    const response = await fetch(`${dc('dc01').http}/v1/ingest`, {
      method: 'POST',
      headers: { authorization: `Device ${ready.device.key}` },
      body: '{"temp":21.5}',
    })
    expect(response.status).to.equal(200)
    while ((await latest(dc('dc02'))) !== 21.5) await new Promise((resolve) => setTimeout(resolve, 50))
  })

  it('speaks TLS with certificates of its own authority, for MQTT and the API', async () => {
    const { mqtts, https, parts } = dc('dc02')
    const ca = readFileSync(join(folder.path, 'pki', 'ca.pem'))
    const servername = parts[0].host
    const { name: username, key: password } = ready.device
    const identity = { username, password, protocolVersion: 5 as const, reconnectPeriod: 0 }
    const client = await mqtt.connectAsync(mqtts, { ca, servername, ...identity })
    await client.endAsync()
    const [answer] = (await once(get(`${https}/livez`, { ca, servername }), 'response')) as [IncomingMessage]
    answer.resume()
    expect(answer.statusCode).to.equal(200)
  })

  it('kills a DC while the other goes on, and starts it again', async () => {
    const killed = await askLauncher(folder.path, { do: 'processes', action: 'kill', dc: 'dc02' })
    expect(states(dc('dc02', killed))).to.deep.equal([
      'cassandra killed',
      'nats killed',
      'broker killed',
      'api killed',
    ])
    expect(await latest(dc('dc01'))).to.equal(21.5)
    const started = await askLauncher(folder.path, { do: 'processes', action: 'start', dc: 'dc02' })
    expect(states(dc('dc02', started))).to.deep.equal(states(dc('dc01')))
    expect(await names(dc('dc02'))).to.deep.equal([ready.device.name])
  })

  it('does the same to one kind of process, from the command line', async () => {
    const { code, stdout } = await run(
      'dc',
      'kill',
      'dc01',
      '--part',
      'nats',
      '--data',
      folder.path,
      '--json',
    )
    expect(code).to.equal(0)
    const status = JSON.parse(stdout) as CellStatus
    expect(states(dc('dc01', status))).to.include.members(['nats killed', 'broker running'])
    await askLauncher(folder.path, { do: 'processes', action: 'start', dc: 'dc01' })
  })

  it('names the hosts that a DC has, for one that it has not', async () => {
    const { code, stderr } = await run('dc', 'kill', 'dc01', '--host', 'dc02-n1', '--data', folder.path)
    expect(code).to.equal(2)
    expect(stderr).to.match(/dc01 has no host "dc02-n1"; its hosts are dc01-n1/)
  })

  it('cuts DCs off from each other where the machine can, and says so where it cannot', async () => {
    const { code, stdout, stderr } = await run('dc', 'cut', 'dc01', '--data', folder.path)
    if (ready.wan === 'none') {
      expect(stderr).to.match(/without a packet filter/)
      return
    }
    expect(code).to.equal(0)
    expect(stdout).to.match(/dc01: no packets to and from dc02/)
    const healed = await askLauncher(folder.path, { do: 'packets', action: 'heal', dc: 'dc01' })
    expect(dc('dc01', healed).cutFrom).to.be.empty
  })

  it('refuses a DC that is not there, and a second launcher on the same data', async () => {
    const unknown = await run('dc', 'kill', 'dc09', '--data', folder.path)
    expect(unknown.code).to.equal(2)
    expect(unknown.stderr).to.match(/there is no DC "dc09"; the DCs are dc01, dc02/)
    const second = await run('dev', '--dcs', '2', '--data', folder.path)
    expect(second.code).to.equal(1)
    expect(second.stderr).to.match(/runs already\n.*cinque dc status/)
  })

  it('ends with its launcher, also when that is killed, and has its data at the next start', async () => {
    const pids = (await askLauncher(folder.path, { do: 'status' })).dcs.flatMap(({ parts }) =>
      parts.map(({ pid }) => pid ?? 0),
    )
    await end('SIGKILL')
    while (pids.some(isAlive)) await new Promise((resolve) => setTimeout(resolve, 20))
    await start()
    expect(await names(dc('dc02'))).to.deep.equal([ready.device.name])
    expect(await latest(dc('dc01'))).to.equal(21.5)
  })

  it('ends in good order on SIGTERM, with code 0 and nothing left', async () => {
    const pids = ready.dcs.flatMap(({ parts }) => parts.map(({ pid }) => pid ?? 0))
    expect(await end('SIGTERM')).to.equal(0)
    expect(pids.filter(isAlive)).to.be.empty
    const log = readFileSync(join(folder.path, 'logs', 'dc01-n1-broker1.log'), 'utf8')
    expect(log).to.include('broker.drained')
  })
})

/** Runs `cinque` to its end, however long a busy machine takes. */
async function run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [entry, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: cleanEnv(),
  })
  const texts = { stdout: '', stderr: '' }
  child.stdout.on('data', (text: Buffer) => (texts.stdout += String(text)))
  child.stderr.on('data', (text: Buffer) => (texts.stderr += String(text)))
  await once(child, 'close')
  return { code: child.exitCode, ...texts }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
