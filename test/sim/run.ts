import { parseArgs } from 'node:util'
import { Cell, type CellOptions, type Outcome } from './cell.ts'
import { describeFault, type Mode } from './faults.ts'
import { variants } from './variants.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    from: { type: 'string', default: '1' },
    mode: { type: 'string' },
    dcs: { type: 'string', default: '3' },
    processes: { type: 'string', default: '2' },
    variant: { type: 'string' },
    trace: { type: 'string' },
    shrink: { type: 'string' },
    hours: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

const HELP = `npm run sim -- [options]: a cell of brokers in virtual time, with things going wrong
  --seeds N      so many runs (20), from seed --from (1)
  --hours N      as many runs as fit into N hours
  --mode M       crash, cut or both: what goes wrong (both; with --variant where it shows)
  --dcs N --processes N   size of the cell (3 x 2)
  --variant NAME a broker with a mistake: ${Object.keys(variants).join(', ')}
  --trace SEED   one run, with everything that happens in it
  --shrink SEED  one run, with as few faults and clients as still fail`

function options(seed: number, more: Partial<CellOptions> = {}): CellOptions {
  const name = values.variant
  const variant = name === undefined ? null : variants[name]
  if (variant === undefined)
    throw new Error(`no variant ${name}: there are ${Object.keys(variants).join(', ')}`)
  return {
    seed,
    mode: (values.mode ?? variant?.mode ?? 'both') as Mode,
    dcs: Number(values.dcs),
    processes: Number(values.processes),
    trace: false,
    variant,
    plan: variant?.plan,
    faults: null,
    clients: null,
    ...more,
  }
}

const flags = `${values.mode === undefined ? '' : `--mode ${values.mode} `}--dcs ${values.dcs} --processes ${values.processes}${values.variant === undefined ? '' : ` --variant ${values.variant}`}`

async function many(): Promise<boolean> {
  const from = Number(values.from)
  const until =
    values.hours === undefined
      ? Number.POSITIVE_INFINITY
      : performance.now() + Number(values.hours) * 3_600_000
  const seeds = values.hours === undefined ? Number(values.seeds) : Number.POSITIVE_INFINITY
  let failed = 0
  let acknowledged = 0
  let deliveries = 0
  let runs = 0
  const kinds = new Map<string, number>()
  const start = performance.now()
  for (let seed = from; seed < from + seeds && performance.now() < until; seed++) {
    const outcome = await new Cell(options(seed)).run()
    runs++
    acknowledged += outcome.acknowledged
    deliveries += outcome.deliveries
    if (outcome.failures.length === 0) continue
    failed++
    for (const failure of outcome.failures) {
      const kind = failure.replace(/^[^ ]* s: /, '').split(/[: ]/)[0]
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
    }
    console.log(`seed ${seed} fails, ${outcome.failures.length} times:`)
    for (const failure of outcome.failures.slice(0, 4)) console.log(`  ${failure}`)
    console.log(`  npm run sim -- ${flags} --trace ${seed}`)
  }
  const ms = performance.now() - start
  console.log(
    `${runs} runs, ${failed} failed ${JSON.stringify(Object.fromEntries(kinds))}; ${acknowledged} acknowledged, ${deliveries} delivered; ${(ms / runs).toFixed(0)} ms a run`,
  )
  return failed === 0
}

async function traced(seed: number): Promise<boolean> {
  const outcome = await new Cell(options(seed, { trace: true })).run()
  for (const line of outcome.lines) console.log(line)
  console.log(`hash ${outcome.hash.toString(16)}, ${outcome.events} events`)
  for (const failure of outcome.failures) console.log(failure)
  return outcome.failures.length === 0
}

/** Leaves out faults and clients as long as something fails. */
async function shrunk(seed: number): Promise<boolean> {
  let best: Outcome = await new Cell(options(seed)).run()
  if (best.failures.length === 0) return true
  let { faults } = best
  for (let size = Math.ceil(faults.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < faults.length; ) {
      const fewer = faults.toSpliced(at, size)
      const outcome = await new Cell(options(seed, { faults: fewer })).run()
      if (outcome.failures.length === 0) at += size
      else {
        faults = fewer
        best = outcome
      }
    }
  }
  console.log(`${faults.length} faults are enough:`)
  for (const fault of faults) console.log(`  ${describeFault(fault)}`)
  const last = await new Cell(options(seed, { faults, trace: true })).run()
  for (const line of last.lines) console.log(line)
  for (const failure of best.failures) console.log(failure)
  return false
}

if (values.help) console.log(HELP)
else {
  const good =
    values.trace !== undefined
      ? await traced(Number(values.trace))
      : values.shrink !== undefined
        ? await shrunk(Number(values.shrink))
        : await many()
  process.exitCode = good ? 0 : 1
}
