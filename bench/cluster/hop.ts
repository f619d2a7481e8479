import { setTimeout as delay } from 'node:timers/promises'
import { buildGenerator, type Figures, generate, type Generator } from '../generator.ts'
import { checkFlow } from '../checks.ts'
import { unpinned } from '../process.ts'
import { median, ratioOf } from '../statistics.ts'
import { cpuMs } from './cpu.ts'
import { Ground } from './ground.ts'
import { atMost, type Bench, type ClusterScenario, type Line } from './scenario.ts'

const RATE = 20_000
/** Connections stand, and the compiler has seen the path. */
const WARM_S = 2
const MOST = 2.5

/** Who sends to whom, at 20 k/s in all. */
const shapes = {
  '100 pairs, QoS 0': ['--pubs', '100', '--subs', '100', '--topics', '100'],
  '100 pairs, QoS 1': ['--pubs', '100', '--subs', '100', '--topics', '100', '--qos', '1'],
  '100 to 1, QoS 0': ['--pubs', '100', '--subs', '1', '--topics', '1'],
} as const

/** CPU of a message between two processes of a DC, next to one within a process: brokers and nats-servers together. */
export const hop: ClusterScenario = {
  name: 'hop',
  about: 'CPU of a message that crosses from one process to another of its DC, at 20 k/s',
  async run(bench: Bench): Promise<Line[]> {
    const generator = await buildGenerator()
    const lines: Line[] = []
    for (const oneServer of [true, false]) {
      const ground = await Ground.start({ directory: bench.directory, hosts: [1, 1], oneServer })
      try {
        for (const [shape, args] of Object.entries(shapes)) {
          bench.say(`${shape}, ${oneServer ? 'one nats-server' : 'two nats-servers'}`)
          lines.push(
            await compare(
              bench,
              generator,
              ground,
              `${shape}, ${oneServer ? 'one host' : 'two hosts'}`,
              args,
            ),
          )
        }
      } finally {
        await ground.stop()
      }
    }
    return lines
  },
}

async function compare(
  { rounds, seconds, say }: Bench,
  generator: Generator,
  ground: Ground,
  name: string,
  args: readonly string[],
): Promise<Line> {
  const [first, second] = ground.brokers
  const same: number[] = []
  const crossing: number[] = []
  for (let round = 0; round < rounds; round++) {
    const both = [async () => same.push(await cost(first)), async () => crossing.push(await cost(second))]
    for (const take of round % 2 === 0 ? both : both.toReversed()) await take()
  }
  const ratio = ratioOf(crossing, same)
  const value = ratio?.median ?? NaN
  const spread = ratio === null ? '' : ` (${ratio.low.toFixed(2)}..${ratio.high.toFixed(2)})`
  const each = `${median(same).toFixed(1)} and ${median(crossing).toFixed(1)} us`
  return {
    what: `CPU, crossing : same process, ${name}`,
    value: `${value.toFixed(2)}${spread}; ${each}`,
    bar: atMost(value, MOST),
  }

  /** Microseconds of all brokers and nats-servers for one message that is received at that broker. */
  async function cost(at: string): Promise<number> {
    const where = ['--pub-at', first, '--sub-at', at, '--rate', String(RATE)]
    const time = ['--warm', String(WARM_S), '--time', String(seconds + 1)]
    const running = generate(generator, ['flow', ...args, ...where, ...time], unpinned)
    const [used, ms] = await Promise.race([
      window(),
      running.then(() => Promise.reject(new Error('the run was too short'))),
    ])
    complain(await running)
    return (used * 1000) / ((RATE * ms) / 1000)
  }

  /** CPU and time of the middle of a run. */
  async function window(): Promise<[used: number, ms: number]> {
    await delay(WARM_S * 1000)
    const before = cpuMs(ground.pids)
    const from = performance.now()
    await delay(seconds * 1000)
    return [cpuMs(ground.pids) - before, performance.now() - from]
  }

  function complain(figures: Figures): void {
    const problems = checkFlow(figures)
    if (problems.length > 0) say(`${name}: ${problems.join(', ')}`)
  }
}
