import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type AnswerOf, type CinqueClient, createClient } from '#client/index.ts'
import { describeMachine } from './machine.ts'
import { announcement } from './peers/cinque-platform.ts'
import { freePort, startServer, unpinned } from './process.ts'

const usage = `node bench/commands.ts [options]

Sends one command to many connected devices as a batch, which each acknowledges and answers; every tenth says that it failed.
Ends when the platform says that all have ended, and checks their states. The platform is a process of its own with the
embedded store; the devices are in this one. Target: 10,000 in 10 s.

  --devices N       (10000)
  --rounds N        (3)
  --directory DIR   the disk to measure (the system's temporary directory)
  --json            everything as JSON
  --help            prints this
`

/** Devices that connect at a time. */
const atOnce = 50

/** What a device has to say: as few bytes and as little work as can be, so that the platform is measured. */
class Device {
  readonly socket: Socket
  readonly failing: boolean
  #bytes: Buffer = Buffer.alloc(0)
  #granted: (() => void) | null = null

  constructor(port: number, name: string, key: string, failing: boolean) {
    this.failing = failing
    this.socket = connect(port, '127.0.0.1')
    this.socket.setNoDelay(true)
    const head = Buffer.from([0, 4, 77, 81, 84, 84, 4, 0xc2, 0, 0])
    this.socket.write(packet(0x10, head, field(name), field(name), field(key)))
    this.socket.write(
      packet(0x82, Buffer.from([0, 1]), field('v1/devices/me/rpc/request/+'), Buffer.from([1])),
    )
    this.socket.on('data', (chunk) => this.#take(chunk))
  }

  /** Resolves when it has subscribed. */
  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#granted = resolve
      this.socket.once('close', () => reject(new Error('a device was refused')))
    })
  }

  #take(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    for (;;) {
      const bytes = this.#bytes
      if (bytes.length < 2) return
      const long = bytes[1] > 127
      if (long && bytes.length < 3) return
      const start = long ? 3 : 2
      const end = start + (long ? (bytes[1] & 127) + bytes[2] * 128 : bytes[1])
      if (bytes.length < end) return
      this.#bytes = bytes.subarray(end)
      if (bytes[0] >> 4 === 9) this.#granted?.()
      else if (bytes[0] >> 4 === 3) this.#answer(bytes.subarray(start, end))
    }
  }

  #answer(publish: Buffer): void {
    const length = publish.readUInt16BE(0)
    const topic = publish.toString('latin1', 2, 2 + length)
    const id = topic.slice(topic.lastIndexOf('/') + 1)
    const ack = packet(0x40, publish.subarray(2 + length, 4 + length))
    const answer = `v1/devices/me/rpc/response/${id}${this.failing ? '/failed' : ''}`
    const response = packet(0x32, field(answer), Buffer.from([0, 1]), Buffer.from('{"ok":1}'))
    this.socket.write(Buffer.concat([ack, response]))
  }
}

function field(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length >> 8, text.length & 255]), Buffer.from(text)])
}

function packet(first: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const length = body.length < 128 ? [body.length] : [(body.length & 127) | 128, body.length >> 7]
  return Buffer.concat([Buffer.from([first, ...length]), body])
}

async function inLots<T>(n: number, make: (i: number) => Promise<T>): Promise<T[]> {
  const all: T[] = []
  for (let i = 0; i < n; i += atOnce) {
    // oxlint-disable-next-line no-await-in-loop -- a storm of connections is not what is measured
    all.push(...(await Promise.all(Array.from({ length: Math.min(atOnce, n - i) }, (_, k) => make(i + k)))))
  }
  return all
}

/** Makes the devices; each brings its key along. */
async function importAll(
  client: CinqueClient,
  n: number,
): Promise<{ name: string; key: string; failing: boolean }[]> {
  const made = Array.from({ length: n }, (_, i) => {
    return { name: `bench-${i}`, key: `bench${String(i).padStart(20, '0')}`, failing: i % 10 === 0 }
  })
  const body = made.map(({ name, key }) => `${JSON.stringify({ name, key })}\n`).join('')
  const { id } = await client.upload('/v1/imports', { body, type: 'application/x-ndjson' })
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- until it has ended
    const now = await client.get('/v1/tasks/{task}', { params: { path: { task: id } } })
    if (now.succeeded === n) return made
    if (now.state !== 'queued' && now.state !== 'running') throw new Error(JSON.stringify(now))
    // oxlint-disable-next-line no-await-in-loop
    await delay(1000)
  }
}

interface Round {
  readonly seconds: number
  readonly counts: Record<string, number>
  readonly right: boolean
}

async function round(client: CinqueClient, devices: number): Promise<Round> {
  const from = performance.now()
  const asked = { name: 'blink', params: { n: 3 }, filter: {}, timeout: 60 }
  let view: AnswerOf<'/v1/command-batches/{batch}', 'get'> = await client.post('/v1/commands', {
    body: asked,
  })
  const params = { path: { batch: view.id }, query: { wait: '30s' } }
  while (!view.ended) {
    // oxlint-disable-next-line no-await-in-loop -- long polls, one after the other
    view = await client.get('/v1/command-batches/{batch}', { params })
    if (performance.now() - from > 120_000) break
  }
  const { counts } = view
  const failed = Math.ceil(devices / 10)
  const right = view.made === devices && counts.failed === failed && counts.succeeded === devices - failed
  return { seconds: (performance.now() - from) / 1000, counts, right }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      devices: { type: 'string', default: '10000' },
      rounds: { type: 'string', default: '3' },
      directory: { type: 'string', default: tmpdir() },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return void process.stdout.write(usage)
  const n = Number(values.devices)
  const directory = await mkdtemp(join(values.directory, 'cinque-bench-'))
  const port = await freePort()
  const entry = new URL('../scripts/cinque.js', import.meta.url).pathname
  const args = [
    'dev',
    '--data',
    join(directory, 'data'),
    '--mqtt-port',
    String(port),
    '--http-port',
    '0',
    '--json',
  ]
  const server = await startServer(process.execPath, [entry, ...args], { port, pin: unpinned })
  try {
    const { url, token } = await announcement(server)
    const client = createClient({ url, token, timeout: 60_000 })
    const made = await importAll(client, n)
    const devices = await inLots(n, async (i) => {
      const device = new Device(port, made[i].name, made[i].key, made[i].failing)
      await device.ready()
      return device
    })
    // The device that `cinque dev` makes is one that never answers.
    await client.delete('/v1/devices/{device}', { params: { path: { device: 'thermo-1' } } })
    const rounds: Round[] = []
    for (let i = 0; i < Number(values.rounds); i++) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      rounds.push(await round(client, n))
    }
    for (const { socket } of devices) socket.destroy()
    report(n, rounds, values.json)
    if (rounds.some(({ right }) => !right)) process.exitCode = 1
  } finally {
    await server.stop()
    await rm(directory, { recursive: true, force: true })
  }
}

function report(devices: number, rounds: readonly Round[], json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ machine: describeMachine(), devices, rounds })}\n`)
    return
  }
  for (const { seconds, counts, right } of rounds) {
    const states = Object.entries(counts).filter(([, count]) => count > 0)
    process.stdout.write(
      `${devices} commands ended in ${seconds.toFixed(1)} s, ${Math.round(devices / seconds)}/s: ` +
        `${states.map(([state, count]) => `${count} ${state}`).join(', ')}${right ? '' : ' (WRONG)'}\n`,
    )
  }
}

await main()
