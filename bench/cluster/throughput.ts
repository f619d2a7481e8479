import { buildGenerator, generate } from '../generator.ts'
import { compact } from '../bars.ts'
import { unpinned } from '../process.ts'
import { median, ratioOf } from '../statistics.ts'
import { cpuMs } from './cpu.ts'
import { Ground } from './ground.ts'
import { atLeast, type ClusterScenario, type Line } from './scenario.ts'

const LEAST = 400_000
const FLOW = ['flow', '--pubs', '1', '--subs', '1', '--qos', '0', '--size', '100', '--credit', '200000']

/** As many messages as go from a publisher at one process to a subscriber at another. */
export const throughput: ClusterScenario = {
  name: 'throughput',
  about: 'messages a second through one hop, QoS 0, 100 bytes',
  async run({ directory, rounds, seconds, say }): Promise<Line[]> {
    const generator = await buildGenerator()
    const ground = await Ground.start({ directory, hosts: [1, 1], oneServer: true })
    try {
      const [first, second] = ground.brokers
      const flow = async (at: string): Promise<{ rate: number; cpu: number; lost: number }> => {
        const before = cpuMs(ground.pids)
        const where = ['--pub-at', first, '--sub-at', at]
        const time = ['--warm', '1', '--time', String(seconds)]
        const figures = await generate(generator, [...FLOW, ...where, ...time], unpinned)
        const cpu = ((cpuMs(ground.pids) - before) * 1000) / (figures['received'] ?? NaN)
        return { rate: figures['receivedPerS'] ?? NaN, cpu, lost: figures['lost'] ?? NaN }
      }
      const same: number[] = []
      const crossing: number[] = []
      const costs: number[] = []
      let lost = 0
      for (let round = 0; round < rounds; round++) {
        same.push((await flow(first)).rate)
        const one = await flow(second)
        crossing.push(one.rate)
        costs.push(one.cpu)
        lost += one.lost
        say(`round ${round + 1}: ${compact(one.rate)}/s`)
      }
      const rate = median(crossing)
      const ratio = ratioOf(crossing, same)?.median ?? NaN
      const losses = lost === 0 ? '' : `, ${lost} LOST`
      return [
        {
          what: 'messages/s through one hop, QoS 0, 100 B',
          value: `${compact(rate)} (${ratio.toFixed(2)} of one process${losses})`,
          bar: atLeast(lost === 0 ? rate : 0, LEAST),
        },
        {
          what: 'CPU of both brokers and nats-server for one of these',
          value: `${median(costs).toFixed(2)} us`,
        },
      ]
    } finally {
      await ground.stop()
    }
  },
}
