import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { describeMachine } from '../machine.ts'
import { median } from '../statistics.ts'
import { formatTable } from '../table.ts'
import { load, percentile } from './load.ts'
import type { Ready } from './server.ts'

const usage = `npm run bench:api -- [options]

Reads by REST, on one core beside the embedded store, next to a bare Express handler that answers the same bytes.

  --seconds N      of each measurement (3)
  --rounds N       of each, in turn; medians count (3)
  --connections N  kept alive (16)
  --cpu-profile    leaves a profile of the server in the working directory
  --json           everything as JSON
  --help           prints this
`

interface Measured {
  readonly rate: number
  /** Requests for a second of the server's own processor time: holds also where the machine had other things to do. */
  readonly perCpuSecond: number
  /** At half of the rate, milliseconds. */
  readonly p50: number
  readonly p99: number
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '16' },
    'cpu-profile': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) process.stdout.write(usage)
else await run()

async function run(): Promise<void> {
  const [seconds, rounds, connections] = [values.seconds, values.rounds, values.connections].map(Number)
  const execArgv = values['cpu-profile'] ? ['--cpu-prof'] : []
  const child = fork(new URL('server.ts', import.meta.url), { execArgv })
  const [ready] = (await once(child, 'message')) as [Ready]
  const results: Record<string, { cinque: Measured[]; express: Measured[] }> = {}
  for (let round = 0; round < rounds; round++) {
    for (const [name, path] of Object.entries(ready.paths)) {
      const both = (results[name] ??= { cinque: [], express: [] })
      for (const peer of round % 2 === 0
        ? (['cinque', 'express'] as const)
        : (['express', 'cinque'] as const)) {
        // One after the other.
        // oxlint-disable-next-line no-await-in-loop
        both[peer].push(await measure(child, ready[peer], { path, token: ready.token, connections, seconds }))
      }
    }
  }
  child.send('stop')
  await once(child, 'exit')
  report(results)
}

async function measure(
  child: ChildProcess,
  url: string,
  options: { path: string; token: string; connections: number; seconds: number },
): Promise<Measured> {
  await load(url, { ...options, seconds: 0.5 })
  const before = await cpuSeconds(child)
  const full = await load(url, options)
  const used = (await cpuSeconds(child)) - before
  const rate = full.requests / full.seconds
  const half = await load(url, { ...options, rate: rate / 2 })
  return {
    rate,
    perCpuSecond: full.requests / used,
    p50: percentile(half.latencies, 0.5),
    p99: percentile(half.latencies, 0.99),
  }
}

async function cpuSeconds(child: ChildProcess): Promise<number> {
  child.send('cpu')
  const [{ user, system }] = (await once(child, 'message')) as [NodeJS.CpuUsage]
  return (user + system) / 1e6
}

function report(results: Record<string, { cinque: Measured[]; express: Measured[] }>): void {
  if (values.json) {
    process.stdout.write(`${JSON.stringify(results)}\n`)
    return
  }
  const whole = (of: Measured[], what: keyof Measured): string =>
    Math.round(median(of.map((one) => one[what]))).toLocaleString('en')
  const ms = (of: Measured[], what: keyof Measured): string => median(of.map((one) => one[what])).toFixed(1)
  const rows = Object.entries(results).map(([name, { cinque, express }]) => [
    name,
    whole(cinque, 'rate'),
    whole(cinque, 'perCpuSecond'),
    ms(cinque, 'p50'),
    ms(cinque, 'p99'),
    whole(express, 'rate'),
    whole(express, 'perCpuSecond'),
    median(cinque.map((one, i) => one.perCpuSecond / express[i].perCpuSecond)).toFixed(2),
  ])
  const head = [
    'read',
    'requests/s',
    'per CPU-s',
    'p50 at half, ms',
    'p99',
    'Express/s',
    'per CPU-s',
    'ratio',
  ]
  const { cpu, cores, node } = describeMachine()
  process.stdout.write(`${cpu}, ${cores} cores, node ${node}\n\n${formatTable([head, ...rows], 1)}\n`)
}
