import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import type { RunningChecker } from '#healthcheck/checker/checker.ts'
import type { Probe } from '#healthcheck/probes/probe.ts'
import { pause } from '#scripts/pause.ts'
import { startFleetChecker } from '../test/healthcheck/checkers.ts'
import { type LightFleet, startLightFleet } from '../test/healthcheck/light-fleet.ts'

/**
 * What a checker costs for 5 DCs of 4 hosts: memory and CPU over a minute. With `--soak MINUTES [--loss 0.01]`: five
 * checkers look at a fleet that is well, a part of their looks is lost, and nothing must change.
 */
const bars = { rssMb: 80, cpuPercent: 3 }
const warmUpMs = 30_000
const measureMs = 60_000

const { values } = parseArgs({
  options: {
    soak: { type: 'string' },
    loss: { type: 'string', default: '0.01' },
    interval: { type: 'string', default: '10' },
  },
})
const fleet = await startLightFleet({ dcs: 5, hosts: 4, health: { interval: Number(values.interval) } })
try {
  if (values.soak === undefined) await measure(fleet)
  else await soak(fleet, Number(values.soak), Number(values.loss))
} finally {
  await fleet.close()
}

async function measure(all: LightFleet): Promise<void> {
  const { inventory } = all
  const config = all.configOf('dc01-check')
  // The first start leaves its stripped sources to the second, as on any host that was started before.
  await ended(await start(config))
  const child = await start(config)
  await pause(warmUpMs)
  const before = cpuSeconds(child)
  const [load] = loadavg()
  await pause(measureMs)
  const percent = ((cpuSeconds(child) - before) / (measureMs / 1000)) * 100
  const { peak, now } = memory(child)
  await ended(child)
  const hosts = inventory.hosts.filter(({ roles }) => roles.includes('app')).length
  process.stdout.write(
    `one checker, ${inventory.dcs.length} DCs, ${hosts} hosts, every ${values.interval} s\n` +
      `  memory  ${now.toFixed(0)} MB (peak ${peak.toFixed(0)} MB)  bar ${bars.rssMb} MB  ${now <= bars.rssMb ? 'ok' : 'ABOVE'}\n` +
      `  CPU     ${percent.toFixed(2)} % of a core  bar ${bars.cpuPercent} %  ${percent <= bars.cpuPercent ? 'ok' : 'ABOVE'}\n` +
      `  other load of the machine: ${load.toFixed(1)}\n`,
  )
}

async function start(config: string): Promise<ChildProcess> {
  const args = [
    '--single-threaded-gc',
    '--max-semi-space-size=1',
    '--optimize-for-size',
    '--max-old-space-size=128',
    'scripts/cinque.js',
    'healthcheck',
    '--config',
    config,
  ]
  const env = { ...process.env, MALLOC_ARENA_MAX: '1' }
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return child
}

async function ended(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM')
  await once(child, 'exit')
}

/** Of the process so far; Linux. */
function cpuSeconds({ pid }: ChildProcess): number {
  const [, fields] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')
  const [user, system] = fields.split(' ').slice(11, 13).map(Number)
  return (user + system) / 100
}

function memory({ pid }: ChildProcess): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const mb = (field: string): number => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024
  return { now: mb('VmRSS'), peak: mb('VmHWM') }
}

async function soak(all: LightFleet, minutes: number, loss: number): Promise<void> {
  let looks = 0
  let lost = 0
  const wrap = (probe: Probe): Probe => ({
    ...probe,
    run: async (target, signal) => {
      looks++
      if (Math.random() >= loss) return probe.run(target, signal)
      lost++
      throw new Error('lost on purpose')
    },
  })
  const names = all.inventory.hosts.filter(({ roles }) => roles.includes('checker')).map(({ name }) => name)
  const checkers = await Promise.all(names.map((name) => startFleetChecker(all, name, undefined, { wrap })))
  await Promise.all(checkers.map(({ firstRound }) => firstRound))
  let changes = 0
  for (const [at, { voting }] of checkers.entries()) watch(names[at], voting, () => changes++)
  await pause(minutes * 60_000)
  const [load] = loadavg()
  await Promise.all(checkers.map((checker) => checker.close()))
  process.stdout.write(
    `${checkers.length} checkers, ${minutes} minutes: ${looks} looks, ${lost} lost on purpose (${loss * 100} %)\n` +
      `  state changes  ${changes}  bar 0  ${changes === 0 ? 'ok' : 'ABOVE'}\n` +
      `  other load of the machine: ${load.toFixed(1)}\n`,
  )
}

/** Tells of each subject that goes out of DNS or comes back. */
function watch(name: string, voting: RunningChecker['voting'], changed: () => void): void {
  const serving = new Map(Array.from(voting.standings(), ([subject, one]) => [subject, one.serving]))
  voting.onChange((standings) => {
    for (const { subject, serving: now, reason } of standings) {
      if (serving.get(subject) === now) continue
      serving.set(subject, now)
      changed()
      process.stdout.write(`  ${name}: ${subject} ${now ? 'in' : 'out'}: ${reason}\n`)
    }
  })
}
