import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ApiError, type CinqueClient } from '#client/index.ts'
import { defaultFleet } from '#scripts/fleet/directory.ts'
import { pause } from '#scripts/pause.ts'
import { openHosts } from '#scripts/remote/hosts.ts'
import { onEarlyExit } from '../clean-up.ts'
import { busyNote, describeMachine, readTaken, stolenSince } from '../machine.ts'
import { messageOf } from '../process.ts'
import { type Identity, Publisher, Receiver } from './devices.ts'
import { Meter } from './meter.ts'
import { Names } from './names.ts'
import { request } from './requests.ts'

const usage = `npm run bench:roll -- [options] [-- roll ARGUMENTS]

Devices and users of a test fleet that runs (\`cinque fleet up\`), while \`cinque roll\` works on its hosts: what they lost, how
often they failed, how long they waited before and meanwhile. Exit code 1 if a bar is missed. Needs root.

  --fleet DIR       (${defaultFleet})
  --rate N          messages a second at QoS 1, all devices together (500)
  --requests N      a second (100)
  --devices N       (50)
  --before S        seconds of load before the roll begins, to compare with (30)
  --json            the figures as JSON
  --help            prints this

Everything after -- is what \`cinque roll\` is told: restart; reinstall --on 'role=app'; upgrade --to V. Default: restart.
`

/** What must be reached: \`p99\` is that of the roll to that before. */
const bars = { lost: 0, failed: 0, p99: 3 } as const

const ticksPerSecond = 50
const receiverName = 'roll-receiver'
/** Without anything more that is acknowledged or comes, what is left is lost. */
const settleMs = 60_000
const cinque = fileURLToPath(new URL('../../scripts/cinque.js', import.meta.url))

interface Load {
  readonly messages: Meter
  readonly requests: Meter
}

async function measure(options: {
  readonly fleet: string
  readonly rate: number
  readonly requests: number
  readonly devices: number
  readonly before: number
  readonly json: boolean
  readonly roll: readonly string[]
}): Promise<void> {
  const hosts = openHosts({ fleet: options.fleet })
  const { inventory } = hosts
  const client = hosts.client()
  const say = (line: string): void => void process.stderr.write(`${line}\n`)
  const machine = describeMachine()
  say(`${machine.cores} x ${machine.cpu}, ${machine.memoryGb} GB; ${busyNote() ?? 'quiet'}`)
  say(
    `${inventory.hosts.length} hosts; ${options.devices} devices, ${options.rate} messages/s, ${options.requests} requests/s`,
  )

  const names = new Names(inventory, client)
  const token = readFileSync(join(options.fleet, 'admin-token'), 'utf8').trim()
  const at = { names, port: inventory.ports.mqtt }
  const receiver = new Receiver({ ...at, device: await deviceOf(client, receiverName) })
  await receiver.subscribe()
  const publishers: Publisher[] = []
  for (let i = 1; i <= options.devices; i++) {
    // oxlint-disable-next-line no-await-in-loop -- a fleet that has just been made
    publishers.push(new Publisher({ ...at, device: await deviceOf(client, `roll-${i}`) }))
  }
  while (publishers.some(({ connected }) => !connected)) {
    // oxlint-disable-next-line no-await-in-loop
    await pause(100)
  }
  for (const one of publishers) one.lostConnections = 0

  let load: Load = { messages: new Meter(), requests: new Meter() }
  const stop = new AbortController()
  let turn = 0
  const driving = Promise.all([
    paced(options.rate, stop.signal, () => publishers[turn++ % publishers.length].publish(load.messages)),
    paced(
      options.requests,
      stop.signal,
      () => void request(names, inventory.ports.http, token, load.requests),
    ),
  ])
  // Nothing is warm yet.
  await pause(10_000)
  load = { messages: new Meter(), requests: new Meter() }
  const before = load
  await pause(options.before * 1000)
  load = { messages: new Meter(), requests: new Meter() }
  const during = load
  const began = performance.now()
  const taken = readTaken()
  const code = await runRoll([...options.roll, '--fleet', options.fleet], say)
  const seconds = (performance.now() - began) / 1000
  const stolen = stolenSince(taken)
  stop.abort()
  await driving
  const waiting = (): number => publishers.reduce((sum, one) => sum + one.waiting, 0)
  let lost = receiver.missing(publishers)
  let left = Infinity
  for (let moved = performance.now(); waiting() + lost > 0 && performance.now() - moved < settleMs; ) {
    if (waiting() + lost < left) moved = performance.now()
    left = waiting() + lost
    // oxlint-disable-next-line no-await-in-loop
    await pause(1000)
    lost = receiver.missing(publishers)
  }
  const result = {
    roll: options.roll.join(' '),
    code,
    seconds,
    stolen,
    lost,
    unacknowledged: waiting(),
    twice: receiver.again,
    moved: publishers.reduce((sum, one) => sum + one.lostConnections, 0),
    before: figuresOf(before),
    during: figuresOf(during),
    failures: [...during.messages.failures, ...during.requests.failures].slice(0, 20),
  }
  names.end()
  await Promise.all([receiver.end(), ...publishers.map((one) => one.end())])
  if (options.json) console.log(JSON.stringify({ machine, ...result }, null, 2))
  else console.log(tableOf(result))
  const ratios = [
    result.during.messages.p99 / result.before.messages.p99,
    result.during.requests.p99 / result.before.requests.p99,
  ]
  for (const line of result.failures) say(`failed: ${line}`)
  const failed = during.requests.failures.length + during.messages.failures.length
  if (code !== 0 || lost > bars.lost || result.unacknowledged > 0 || failed > bars.failed)
    process.exitCode = 1
  if (ratios.some((ratio) => !(ratio <= bars.p99))) process.exitCode = 1
}

interface Figures {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly worst: number
  readonly retried: number
  readonly failed: number
}

function figuresOf({ messages, requests }: Load): { messages: Figures; requests: Figures } {
  const of = (meter: Meter): Figures => ({
    count: meter.count,
    p50: meter.percentile(0.5),
    p99: meter.percentile(0.99),
    worst: meter.percentile(1),
    retried: meter.retried,
    failed: meter.failures.length,
  })
  return { messages: of(messages), requests: of(requests) }
}

function tableOf(result: {
  readonly roll: string
  readonly code: number
  readonly seconds: number
  /** Of a hundred: processor time that other machines of the same host had. */
  readonly stolen: number
  readonly lost: number
  readonly unacknowledged: number
  readonly twice: number
  readonly moved: number
  readonly before: ReturnType<typeof figuresOf>
  readonly during: ReturnType<typeof figuresOf>
}): string {
  const { before, during } = result
  const ms = (value: number): string => `${value.toFixed(0)} ms`
  const row = (what: string, one: Figures, two: Figures): string =>
    `| ${what} | ${one.count} | ${ms(one.p50)} | ${ms(one.p99)} | ${two.count} | ${ms(two.p50)} | ${ms(two.p99)} | ${ms(two.worst)} | ${(two.p99 / one.p99).toFixed(1)} | ${two.retried} | ${two.failed} |`
  return [
    `${result.roll}: ${result.code === 0 ? 'done' : `exit code ${result.code}`} in ${result.seconds.toFixed(0)} s; acknowledged and lost: ${result.lost}; never acknowledged: ${result.unacknowledged}; came twice: ${result.twice}; connections moved: ${result.moved}; processor time that other machines took: ${result.stolen.toFixed(0)} %`,
    '',
    '| | before | p50 | p99 | meanwhile | p50 | p99 | longest | p99 ratio | tried again | failed |',
    '|---|---|---|---|---|---|---|---|---|---|---|',
    row('messages, until acknowledged', before.messages, during.messages),
    row('requests', before.requests, during.requests),
  ].join('\n')
}

/** Calls `act` so often a second, until `signal`. */
async function paced(rate: number, signal: AbortSignal, act: () => void): Promise<void> {
  const began = performance.now()
  let given = 0
  while (!signal.aborted) {
    const due = Math.floor(((performance.now() - began) / 1000) * rate)
    for (; given < due; given++) act()
    // oxlint-disable-next-line no-await-in-loop
    await pause(1000 / ticksPerSecond, signal)
  }
}

async function deviceOf(client: CinqueClient, name: string): Promise<Identity> {
  try {
    return await client.post('/v1/devices', { body: { name } })
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'name_taken') throw error
    return client.post('/v1/devices/{device}/key', { params: { path: { device: name } } })
  }
}

/** Its exit code; what it says is passed on. */
function runRoll(args: readonly string[], say: (line: string) => void): Promise<number> {
  const child = spawn(process.execPath, [cinque, 'roll', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_NORMAL)
  const early = onEarlyExit(() => child.kill())
  for (const stream of [child.stdout, child.stderr]) createInterface(stream).on('line', say)
  return new Promise((resolve) => {
    child.once('close', (code) => {
      early.cancel()
      resolve(code ?? 1)
    })
  })
}

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      fleet: { type: 'string', default: defaultFleet },
      rate: { type: 'string', default: '500' },
      requests: { type: 'string', default: '100' },
      devices: { type: 'string', default: '50' },
      before: { type: 'string', default: '30' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const number = (name: 'rate' | 'requests' | 'devices' | 'before'): number => {
    const value = Number(values[name])
    if (value > 0) return value
    throw new Error(`--${name}: expected a number above 0`)
  }
  if (values.help) process.stdout.write(usage)
  else {
    // What measures must not wait for what it measures.
    setPriority(constants.priority.PRIORITY_HIGH)
    await measure({
      fleet: values.fleet,
      rate: number('rate'),
      requests: number('requests'),
      devices: Math.round(number('devices')),
      before: number('before'),
      json: values.json,
      roll: positionals.length === 0 ? ['restart'] : positionals,
    })
  }
} catch (error) {
  console.error(`bench/roll: ${messageOf(error)}`)
  process.exitCode = 1
}
