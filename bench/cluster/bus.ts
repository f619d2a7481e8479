import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { nkeys } from '@nats-io/transport-node'
import { pino } from 'pino'
import { natsConfig } from '#platform/nats/server/config.ts'
import { ensureNatsServer } from '#platform/nats/server/engine.ts'
import { type NatsServer, startNatsServer } from '#platform/nats/server/process.ts'
import { makeCertificates } from '#platform/pki/certificates.ts'
import { describeMachine } from '../machine.ts'
import { median, ratioOf } from '../statistics.ts'
import { formatTable } from '../table.ts'
import type { MemberReport, MemberTask } from './bus-member.ts'

const usage = `node bench/cluster/bus.ts [options]

Frames from one process to another through one nats-server (TLS, nkey), as fast as they go: our bus next to the NATS
client library alone, in turn. CPU of both processes and of the server (Linux) for one frame.

  --seconds N       length of a run (2)
  --rounds N        runs of each, in turn; medians count (5)
  --json            everything as JSON
  --help            prints this
`

const SIZES = [100, 1000, 32 * 1024]
const HOST = '127.77.1.1'
/** Of /proc/<pid>/stat. */
const TICK_MS = 10

interface Run {
  readonly rate: number
  /** Microseconds for one frame. */
  readonly publisher: number
  readonly subscriber: number
  readonly server: number
}

interface Figures {
  readonly bytes: number
  readonly bus: readonly Run[]
  readonly raw: readonly Run[]
}

interface Ground {
  readonly server: NatsServer
  readonly task: Pick<MemberTask, 'server' | 'caFile' | 'nkeySeed'>
}

async function prepare(directory: string): Promise<Ground> {
  const binary = await ensureNatsServer({ log: pino() })
  const user = nkeys.createUser()
  const { files, caFile } = await makeCertificates({
    directory: path.join(directory, 'pki'),
    requests: [{ name: 'bench', ips: [HOST] }],
  })
  const configFile = path.join(directory, 'nats.conf')
  const clients = `${HOST}:4222`
  writeFileSync(
    configFile,
    natsConfig({ name: 'bench', clients, tls: { ...files['bench'], caFile }, users: [user.getPublicKey()] }),
  )
  const server = await startNatsServer({ binary, configFile, logFile: path.join(directory, 'nats.log') })
  const nkeySeed = new TextDecoder().decode(user.getSeed())
  return { server, task: { server: clients, caFile, nkeySeed } }
}

async function hears(child: ChildProcess): Promise<MemberReport> {
  const early = new AbortController()
  const { signal } = early
  const ended = once(child, 'exit', { signal }).then(() => {
    throw new Error('a process of the run ended before it')
  })
  try {
    const [word] = (await Promise.race([once(child, 'message', { signal }), ended])) as [MemberReport]
    return word
  } finally {
    ended.catch(() => undefined)
    early.abort()
  }
}

async function measure(ground: Ground, via: 'bus' | 'raw', bytes: number, seconds: number): Promise<Run> {
  const script = path.join(import.meta.dirname, 'bus-member.ts')
  const start = (role: MemberTask['role']): ChildProcess =>
    fork(script, [JSON.stringify({ ...ground.task, role, via, bytes, seconds } satisfies MemberTask)])
  const subscriber = start('subscriber')
  const children = [subscriber]
  try {
    await hears(subscriber)
    const publisher = start('publisher')
    children.push(publisher)
    await hears(publisher)
    subscriber.send('begin')
    const serverBefore = cpuMs(ground.server.pid)
    const sent = figures(await hears(publisher))
    subscriber.send('end')
    const server = cpuMs(ground.server.pid) - serverBefore
    const received = figures(await hears(subscriber))
    const each = (ms: number): number => (ms * 1000) / sent.frames
    return {
      rate: (sent.frames / sent.ms) * 1000,
      publisher: each(sent.cpuMs),
      subscriber: each(received.cpuMs),
      server: each(server),
    }
  } finally {
    for (const child of children) child.kill('SIGKILL')
  }
}

function figures(report: MemberReport): Exclude<MemberReport, 'ready'> {
  if (report === 'ready') throw new Error('figures were expected')
  return report
}

/** CPU that a process has used, milliseconds. */
function cpuMs(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS
  } catch {
    return NaN
  }
}

async function compare(ground: Ground, bytes: number, rounds: number, seconds: number): Promise<Figures> {
  const all = { bus: [] as Run[], raw: [] as Run[] }
  for (let round = 0; round < rounds; round++)
    for (const via of round % 2 === 0 ? (['bus', 'raw'] as const) : (['raw', 'bus'] as const))
      all[via].push(await measure(ground, via, bytes, seconds))
  return { bytes, ...all }
}

function table(results: readonly Figures[]): string {
  const head = [
    'bytes',
    'via',
    'frames/s',
    'us: publisher',
    'subscriber',
    'server',
    'rate bus:raw',
    'CPU bus:raw',
  ]
  const lines = results.flatMap(({ bytes, bus, raw }) => {
    const cpu = (runs: readonly Run[]): number[] => runs.map((run) => run.publisher + run.subscriber)
    const ratio = (over: number[], under: number[]): string => {
      const found = ratioOf(over, under)
      if (found === null) return '-'
      return `${found.median.toFixed(2)} (${found.low.toFixed(2)}..${found.high.toFixed(2)})`
    }
    const rate = (runs: readonly Run[]): number[] => runs.map((run) => run.rate)
    return [
      [...row(bytes, 'bus', bus), ratio(rate(bus), rate(raw)), ratio(cpu(bus), cpu(raw))],
      [...row(bytes, 'raw', raw), '', ''],
    ]
  })
  return formatTable([head, ...lines], 0)
}

function row(bytes: number, via: string, runs: readonly Run[]): string[] {
  const of = (key: keyof Run): number => median(runs.map((run) => run[key]))
  const [rate, ...us] = (['rate', 'publisher', 'subscriber', 'server'] as const).map(of)
  return [String(bytes), via, String(Math.round(rate)), ...us.map((value) => value.toFixed(2))]
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const { values } = parseArgs({ options: { seconds: text, rounds: text, json: flag, help: flag } })
  if (values.help === true) {
    process.stdout.write(usage)
    return
  }
  const number = (name: 'seconds' | 'rounds', fallback: number): number => {
    const value = Number(values[name] ?? fallback)
    if (!(value > 0)) throw new Error(`--${name}: expected a number above 0`)
    return value
  }
  const [seconds, rounds] = [number('seconds', 2), number('rounds', 5)]
  const directory = mkdtempSync(path.join(tmpdir(), 'cinque-bench-'))
  let ground: Ground | null = null
  try {
    ground = await prepare(directory)
    const results: Figures[] = []
    for (const bytes of SIZES) results.push(await compare(ground, bytes, rounds, seconds))
    if (values.json === true) console.log(JSON.stringify({ machine: describeMachine(), results }, null, 2))
    else console.log(table(results))
  } finally {
    await ground?.server.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

try {
  await main()
} catch (error) {
  console.error(`bench/cluster/bus: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
