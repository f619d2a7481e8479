import { buildGenerator, generate } from '../generator.ts'
import { unpinned } from '../process.ts'
import { median } from '../statistics.ts'
import { Ground } from './ground.ts'
import { atMost, type ClusterScenario, type Line } from './scenario.ts'

/** Light load: messages find idle streams. */
const RATE = 100
/** One way, between the two DCs. */
const DELAY_MS = 20
const SAME_DC_MS = 1
/** On top of what the network alone takes. */
const OTHER_DC_MS = 2

/** From the moment a message was due to its arrival at a subscriber of another process, one at a time. */
export const latency: ClusterScenario = {
  name: 'latency',
  about: 'from publisher to a subscriber of another process, same DC and other DC, at light load',
  async run({ directory, rounds, seconds, say }): Promise<Line[]> {
    const generator = await buildGenerator()
    const p50 = async (ground: Ground, to: string): Promise<number> => {
      const where = ['--pub-at', ground.brokers[0], '--sub-at', to, '--rate', String(RATE)]
      const all: number[] = []
      for (let round = 0; round < rounds; round++) {
        const figures = await generate(generator, ['flow', ...where, '--time', String(seconds)], unpinned)
        all.push((figures['latencyUs.p50'] ?? NaN) / 1000)
      }
      return median(all)
    }
    const near = await Ground.start({ directory, hosts: [1, 1] })
    let same: number
    let hop: number
    try {
      same = await p50(near, near.brokers[0])
      hop = await p50(near, near.brokers[1])
    } finally {
      await near.stop()
    }
    const lines: Line[] = [
      { what: 'latency p50 within one process', value: `${same.toFixed(2)} ms` },
      {
        what: 'latency p50 to another host of the DC',
        value: `${hop.toFixed(2)} ms`,
        bar: atMost(hop, SAME_DC_MS, ' ms'),
      },
    ]
    say(`now with ${DELAY_MS} ms between two DCs`)
    const far = await Ground.start({ directory, hosts: [1, 2], delayMs: DELAY_MS })
    try {
      const alone = await far.oneWayMs(2)
      const other = await p50(far, far.brokers[1])
      lines.push({
        what: 'latency p50 to another DC, beyond the one-way delay',
        value: `${(other - alone).toFixed(2)} ms (${other.toFixed(2)} - ${alone.toFixed(2)})`,
        bar: atMost(other - alone, OTHER_DC_MS, ' ms'),
      })
    } finally {
      await far.stop()
    }
    return lines
  },
}
