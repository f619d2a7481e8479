import { parseArgs } from 'node:util'
import { withDirectory } from '../clean-up.ts'
import { busyNote, describeMachine } from '../machine.ts'
import { messageOf } from '../process.ts'
import { formatTable } from '../table.ts'
import { cellScenarios } from './cells.ts'
import { endToEnd } from './end-to-end.ts'
import { hop } from './hop.ts'
import { latency } from './latency.ts'
import type { ClusterScenario, Line } from './scenario.ts'
import { sessions } from './sessions.ts'
import { store } from './store.ts'
import { throughput } from './throughput.ts'
import { wire } from './wire.ts'

const usage = `npm run bench:cluster -- [options]

What a cell of several processes and DCs does, next to what it must (docs/scale.md). Linux; engines are fetched at first use.

  --only NAME       only this scenario, repeatable (all)
  --seconds S       counted seconds of a run under load (4)
  --rounds N        rounds where two sides are compared, in turn; medians count (3)
  --json            everything as JSON
  --list            names the scenarios
  --help            prints this
`

const scenarios: readonly ClusterScenario[] = [
  hop,
  throughput,
  latency,
  sessions,
  wire,
  store,
  endToEnd,
  ...cellScenarios,
]

interface Options {
  readonly chosen: readonly ClusterScenario[]
  readonly seconds: number
  readonly rounds: number
  readonly json: boolean
}

function parseOptions(values: Record<string, string | boolean | string[] | undefined>): Options {
  const number = (name: string, fallback: number): number => {
    const value = Number(values[name] ?? fallback)
    if (!(value > 0)) throw new Error(`--${name}: expected a number above 0`)
    return value
  }
  const names = (values['only'] ?? scenarios.map(({ name }) => name)) as string[]
  const chosen = names.map((name) => {
    const found = scenarios.find((one) => one.name === name)
    if (found !== undefined) return found
    throw new Error(`--only ${name}: there are ${scenarios.map((one) => one.name).join(', ')}`)
  })
  return { chosen, seconds: number('seconds', 4), rounds: number('rounds', 3), json: values['json'] === true }
}

async function runAll({ chosen, seconds, rounds, json }: Options): Promise<void> {
  const machine = describeMachine()
  const say = (line: string): void => void process.stderr.write(`${line}\n`)
  say(
    `${machine.cores} x ${machine.cpu}, ${machine.memoryGb} GB, Node ${machine.node}; ${busyNote() ?? 'quiet'}`,
  )
  const results: { scenario: string; lines: readonly Line[] }[] = []
  let failed = false
  for (const scenario of chosen) {
    say(`${scenario.name}: ${scenario.about}`)
    try {
      const lines = await withDirectory((directory) =>
        scenario.run({ seconds, rounds, directory, say: (line) => say(`  ${line}`) }),
      )
      results.push({ scenario: scenario.name, lines })
      if (!json) console.log(table(scenario.name, lines))
    } catch (error) {
      say(`${scenario.name}: ${messageOf(error)}`)
      failed = true
    }
  }
  if (json) console.log(JSON.stringify({ machine, results }, null, 2))
  if (failed) process.exitCode = 1
}

function table(name: string, lines: readonly Line[]): string {
  const rows = lines.map(({ what, value, bar }) => [
    what,
    value,
    bar?.text ?? '',
    bar === undefined ? '' : bar.met ? 'met' : 'missed',
  ])
  return `${formatTable([[name, 'measured', 'bar', ''], ...rows], 4)}\n`
}

try {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      seconds: text,
      rounds: text,
      json: flag,
      list: flag,
      help: flag,
    },
  })
  if (values.help === true) process.stdout.write(usage)
  else if (values.list === true)
    for (const { name, about } of scenarios) console.log(`${name.padEnd(16)} ${about}`)
  else await runAll(parseOptions(values))
} catch (error) {
  console.error(`bench/cluster: ${messageOf(error)}`)
  process.exitCode = 1
}
