// Where the broker's time goes in one scenario.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { withCertificate } from './certificate.ts'
import { withDirectory } from './clean-up.ts'
import { summarize, type Share } from './cpu-profile.ts'
import { buildGenerator } from './generator.ts'
import { choosePins } from './machine.ts'
import { measure, type MeasureOptions, type Result } from './measure.ts'
import { cinque } from './peers/cinque.ts'
import { messageOf, run } from './process.ts'
import type { Scenario } from './scenario.ts'
import { selectScenarios } from './scenarios.ts'

const usage = `node bench/profile.ts SCENARIO [options]

  --perf        native code and kernel too, by Linux perf; else V8's own profile, JavaScript only
  --seconds S   counted seconds (4)
  --top N       lines of a table (30)
  --keep DIR    leave the profile there (.cpuprofile for Chrome's developer tools, or perf.data)
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    perf: { type: 'boolean' },
    seconds: { type: 'string', default: '4' },
    top: { type: 'string', default: '30' },
    keep: { type: 'string' },
    help: { type: 'boolean' },
  },
})
const LINE = 140
const PERF = 'perf'
const top = Number(values.top)
const root = `${pathToFileURL(path.join(import.meta.dirname, '..')).href}/`

function printShares(title: string, shares: readonly Share[]): void {
  console.log(`\n${title}`)
  for (const { name, percent } of shares) console.log(`${percent.toFixed(1).padStart(6)} %  ${name}`)
}

function printFigures(scenario: Scenario, { figures, problems }: Result): void {
  for (const metric of scenario.metrics)
    console.log(`${metric.label}: ${(figures[metric.figure] ?? NaN) * (metric.scale ?? 1)}`)
  for (const name of ['brokerCpu', 'genCpu']) console.log(`${name}: ${figures[name] ?? '-'} cores`)
  if (problems.length > 0) console.log(`problems: ${problems.join(', ')}`)
}

const monotonicMicroseconds = () => Number(process.hrtime.bigint() / 1000n)

/** V8's sampling profiler, written when the process exits after its drain; counted while there is load. */
async function profileV8(scenario: Scenario, options: MeasureOptions, directory: string): Promise<void> {
  const nodeArgs = ['--cpu-prof', '--cpu-prof-interval', '250', `--cpu-prof-dir=${directory}`]
  let from = 0
  const onRunning = () => {
    from = monotonicMicroseconds()
    return async () => {}
  }
  printFigures(scenario, await measure(scenario, cinque, { ...options, nodeArgs, onRunning }))
  const names = (await readdir(directory)).filter((name) => name.endsWith('.cpuprofile'))
  for (const name of names) {
    const text = await readFile(path.join(directory, name), 'utf8')
    const { functions, files } = summarize(text, from, top, (url) => url.replace(root, ''))
    printShares(`${name}: own time by function, idle left out`, functions)
    printShares(`${name}: by file`, files)
  }
  if (names.length === 0) throw new Error('the broker left no profile: did it end by SIGKILL?')
}

/** perf on the broker's process, all threads, while there is load. */
async function profilePerf(scenario: Scenario, options: MeasureOptions, directory: string): Promise<void> {
  const data = path.join(directory, 'perf.data')
  const nodeArgs = ['--perf-basic-prof', '--interpreted-frames-native-stack']
  const onRunning = (pid: number) => {
    const args = ['record', '-q', '-F', '1999', '-g', '-o', data, '-p', String(pid)]
    const perf = spawn(PERF, args, { stdio: ['ignore', 'ignore', 'inherit'] })
    const ended = once(perf, 'close')
    return async () => {
      perf.kill('SIGINT')
      await ended
    }
  }
  printFigures(scenario, await measure(scenario, cinque, { ...options, nodeArgs, onRunning }))
  for (const sort of ['dso', 'symbol']) {
    const args = ['--stdio', '-q', '--no-children', '-g', 'none', '-F', `overhead,${sort}`, '-i', data]
    const { stdout } = await run(PERF, ['report', ...args])
    const lines = stdout.split('\n').filter((line) => line.trim() !== '')
    console.log(`\nown time by ${sort}`)
    for (const line of lines.slice(0, top)) console.log(line.trimEnd().slice(0, LINE))
  }
}

async function main(): Promise<void> {
  const [selected] = selectScenarios(positionals)
  if (values.help === true || positionals.length !== 1 || selected === undefined) {
    process.stdout.write(usage)
    return
  }
  const scenario = { ...selected, asMqtt3: false } // one process, one profile
  const generator = await buildGenerator()
  const pins = await choosePins()
  const into = (directory: string) =>
    withCertificate((tls) =>
      (values.perf === true ? profilePerf : profileV8)(
        scenario,
        {
          generator,
          brokerPin: pins.broker,
          generatorPin: pins.generator,
          seconds: Number(values.seconds),
          warmSeconds: 1,
          tls,
        },
        directory,
      ),
    )
  if (values.keep === undefined) await withDirectory(into)
  else await into(values.keep)
}

try {
  await main()
} catch (error) {
  console.error(`profile: ${messageOf(error)}`)
  process.exitCode = 1
}
