// Random faults on a cell of five DCs under load, for as long as wanted: `npm run test:chaos -- --minutes 10 --seed 7`.
import { parseArgs } from 'node:util'
import type { CellDc } from '#scripts/cell/cell.ts'
import type { Part, PartKind } from '#scripts/cell/part.ts'
import { errorLine } from '#scripts/output.ts'
import { lifetime } from '../durability/seed.ts'
import { Random } from '../fuzz/random.ts'
import { crash, cutFor, loseDc, standStill, travel } from './faults.ts'
import { FiveDcs, type Promised } from './five-dcs.ts'

const usage = `npm run test:chaos -- [options]

Starts five DCs on this machine, with devices in each that publish and check numbered messages, and kills, freezes and cuts
at random. After each fault: acknowledged and lost 0, QoS 2 doubled 0, order kept, sessions kept, every other DC answered
all along, all DCs serve the same. What a cut or a lost DC held back may come late.

  --minutes N       (10)
  --seed S          the same faults again; times differ from run to run (chance)
  --only FAULT      only this one, repeatable: kill, freeze, cut, lose, travel
  --help            prints this
`

const faults = ['kill', 'freeze', 'cut', 'lose', 'travel'] as const
type FaultName = (typeof faults)[number]

/** A fault that was chosen. */
interface Fault {
  readonly text: string
  readonly promised: Promised
  readonly disturbed: readonly CellDc[]
  run(): Promise<void>
}

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    only: { type: 'string', multiple: true },
    help: { type: 'boolean' },
  },
})

function choose(world: FiveDcs, random: Random, allowed: readonly FaultName[]): Fault {
  const { cell } = world
  const dc = random.pick(cell.dcs)
  switch (random.pick(allowed)) {
    case 'kill': {
      const part = pickPart(dc, random, ['broker', 'broker', 'api', 'nats', 'cassandra'])
      return {
        text: `kill -9 ${part.options.name}`,
        promised: 'order and once',
        disturbed: [dc],
        run: () => crash(part),
      }
    }
    case 'freeze': {
      const part = pickPart(dc, random, ['broker', 'broker', 'api', 'nats', 'cassandra'])
      const ms = 1000 + random.below(12_000)
      const text = `freeze ${part.options.name} for ${ms} ms`
      return { text, promised: 'order and once', disturbed: [dc], run: () => standStill(part, ms) }
    }
    case 'cut': {
      const other = random.pick(cell.dcs.filter((one) => one !== dc))
      const from = random.oneIn(2) ? other : undefined
      const ms = 1000 + random.below(15_000)
      const text = `cut ${dc.name} from ${from?.name ?? 'all others'} for ${ms} ms`
      return { text, promised: 'nothing lost', disturbed: [], run: () => cutFor(dc, from, ms) }
    }
    case 'lose': {
      const ms = 1000 + random.below(20_000)
      const text = `lose ${dc.name} for ${ms} ms`
      return { text, promised: 'nothing lost', disturbed: [dc], run: () => loseDc(dc, ms) }
    }
    default: {
      const ms = random.below(2000)
      const text = `a client moves every ${ms} ms`
      return { text, promised: 'order and once', disturbed: [], run: () => travel(world, ms) }
    }
  }
}

function pickPart(dc: CellDc, random: Random, kinds: readonly PartKind[]): Part {
  return random.pick(dc.parts(random.pick(kinds)))
}

async function storm(
  world: FiveDcs,
  random: Random,
  minutes: number,
  say: (line: string) => void,
): Promise<number> {
  const chosen = (values.only ?? [...faults]) as FaultName[]
  const allowed = world.cell.wan === 'none' ? chosen.filter((name) => name !== 'cut') : chosen
  const end = Date.now() + minutes * 60_000
  let failed = 0
  while (Date.now() < end) {
    const fault = choose(world, random, allowed)
    say(fault.text)
    try {
      await fault.run()
      await lifetime(random.below(2000))
      say('  over')
      await world.fleet.goHome()
      await world.check(fault.promised, fault.disturbed)
      await world.converged()
      say(`  all is well; ${world.fleet.acknowledged} acknowledged so far`)
    } catch (error) {
      failed++
      say(`  WRONG: ${error instanceof Error ? error.message : String(error)}`)
      // What is missing stays missing: the next faults would be blamed for it.
      return failed
    }
  }
  return failed
}

if (values.help === true) process.stdout.write(usage)
else {
  const from = Date.now()
  const say = (line: string): void =>
    console.log(`${((Date.now() - from) / 1000).toFixed(1).padStart(7)} s  ${line}`)
  try {
    for (const name of values.only ?? [])
      if (!(faults as readonly string[]).includes(name))
        throw new Error(`--only ${name}: there are ${faults.join(', ')}`)
    const seed = Number(values.seed)
    say(`seed ${seed}`)
    const world = await FiveDcs.start(say)
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => void world.end().then(() => process.exit(130)))
    try {
      await world.begin()
      const failed = await storm(world, new Random(seed), Number(values.minutes), say)
      const times = world.probes.flatMap((probe) => probe.times).toSorted((a, b) => a - b)
      const at = (q: number): string => `${Math.round(times[Math.floor(times.length * q)] ?? NaN)} ms`
      say(
        `${failed === 0 ? 'nothing wrong' : 'WRONG'}: ${world.fleet.acknowledged} messages acknowledged, 0 lost expected; probes p50 ${at(0.5)}, p99 ${at(0.99)}, ${world.probes.reduce((n, probe) => n + probe.failures.length, 0)} without answer`,
      )
      process.exitCode = failed === 0 ? 0 : 1
    } finally {
      await world.end()
    }
  } catch (error) {
    console.error(`chaos: ${errorLine(error)}`)
    process.exitCode = 1
  }
}
