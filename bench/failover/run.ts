import { parseArgs } from 'node:util'
import { join } from 'node:path'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { onEarlyExit, withDirectory } from '../clean-up.ts'
import { busyNote, describeMachine } from '../machine.ts'
import { messageOf } from '../process.ts'
import { type Fault, faults } from './faults.ts'
import { type Outcome, observe } from './observe.ts'
import { detectionBarS, markdownTable } from './result.ts'
import { startWorldCell, World } from './world.ts'

const usage = `npm run bench:failover -- [options]

Starts five DCs with checkers on this machine, and devices and users that find them by their names; makes one fault after the
other, prints what happens when, and a table for docs/failover.md. Linux; root, or nothing can be cut. The health checks have
their default settings, but for what makes a DC's return quick: 2 good rounds instead of 6, steps of 10 s instead of 60.

  --only NAME       only this fault, repeatable (all)
  --devices N       (100)
  --pace MS         between two messages of a device (1000)
  --slow-return     the default settings there, too: four minutes for each return
  --json            the figures as JSON
  --list            names the faults
  --help            prints this
`

/** Nothing that is measured of a failure depends on these. */
const quickReturn = { up_after: 2, failback_step: 10 }

interface Options {
  readonly chosen: readonly Fault[]
  readonly devices: number
  readonly paceMs: number
  readonly health: Partial<Inventory['health']>
  readonly json: boolean
}

function parseOptions(values: Record<string, string | boolean | string[] | undefined>): Options {
  const number = (name: string, fallback: number): number => {
    const value = Number(values[name] ?? fallback)
    if (!(value > 0)) throw new Error(`--${name}: expected a number above 0`)
    return value
  }
  const names = (values['only'] ?? faults.map(({ name }) => name)) as string[]
  const chosen = names.map((name) => {
    const found = faults.find((one) => one.name === name)
    if (found !== undefined) return found
    throw new Error(`--only ${name}: there are ${faults.map((one) => one.name).join(', ')}`)
  })
  return {
    chosen,
    devices: Math.round(number('devices', 100)),
    paceMs: number('pace', 1000),
    health: values['slow-return'] === true ? {} : quickReturn,
    json: values['json'] === true,
  }
}

async function runAll({ chosen, json, ...load }: Options): Promise<void> {
  const machine = describeMachine()
  const say = (line: string): void => void process.stderr.write(`${line}\n`)
  say(
    `${machine.cores} x ${machine.cpu}, ${machine.memoryGb} GB, Node ${machine.node}; ${busyNote() ?? 'quiet'}`,
  )
  const outcomes: Outcome[] = []
  // One cell for all that need no more than one app host: the others need a larger one.
  for (const apps of [1, 2]) {
    const some = chosen.filter((fault) => fault.apps === apps)
    if (some.length > 0) outcomes.push(...(await runIn(apps, some, { ...load, say })))
  }
  if (json) console.log(JSON.stringify({ machine, outcomes: outcomes.map(figures) }, null, 2))
  else console.log(markdownTable(outcomes))
  const bad = outcomes.filter(
    ({ wrong, lost, timeline }) =>
      wrong !== null || lost > 0 || (timeline.seconds('dns') ?? 0) > detectionBarS,
  )
  for (const { fault, wrong, lost } of bad) say(`${fault.name}: ${wrong ?? `${lost} lost, or too late`}`)
  if (bad.length > 0) process.exitCode = 1
}

function runIn(
  apps: number,
  some: readonly Fault[],
  { devices, paceMs, health, say }: Omit<Options, 'chosen' | 'json'> & { say: (line: string) => void },
): Promise<Outcome[]> {
  return withDirectory(async (directory) => {
    const cell = await startWorldCell(join(directory, 'cell'), { apps, health, say })
    const early = onEarlyExit(() => void cell.kill())
    const outcomes: Outcome[] = []
    try {
      const world = await World.start({ cell, devices, paceMs, say })
      try {
        for (const fault of some) {
          if (cell.wan === 'none' && needsPacketFilter.has(fault.name)) {
            say(`${fault.name}: left out, no packet filter here`)
            continue
          }
          say(`\n${fault.name}`)
          // oxlint-disable-next-line no-await-in-loop -- one fault at a time
          outcomes.push(await observe(world, fault, say))
          say(markdownTable(outcomes.slice(-1)).split('\n').at(-1) ?? '')
        }
      } finally {
        await world.end()
      }
    } finally {
      await cell.kill()
      early.cancel()
    }
    return outcomes
  })
}

const needsPacketFilter = new Set(['cut', 'cut-off', 'slow'])

function figures({ fault, timeline, ...rest }: Outcome): object {
  return { ...rest, fault: fault.name, seconds: timeline.all() }
}

try {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      devices: text,
      pace: text,
      'slow-return': flag,
      json: flag,
      list: flag,
      help: flag,
    },
  })
  if (values.help === true) process.stdout.write(usage)
  else if (values.list === true)
    for (const { name, what } of faults) console.log(`${name.padEnd(12)} ${what}`)
  else await runAll(parseOptions(values))
} catch (error) {
  console.error(`bench/failover: ${messageOf(error)}`)
  process.exitCode = 1
}
