import type { Cell, CellDc } from '#scripts/cell/cell.ts'
import { checkFlow } from '../checks.ts'
import { buildGenerator, generate } from '../generator.ts'
import { unpinned } from '../process.ts'
import { atMost, type Bench, type Line } from './scenario.ts'

const RATE = 50
const BAR_MS = 6

/** Commands: a message at a time to one persistent session, publisher and device in one DC, and in two. */
export async function commands(cell: Cell, { seconds, say }: Bench): Promise<Line[]> {
  const generator = await buildGenerator()
  const [first] = cell.dcs
  const third = cell.dcs.at(2)
  const at = ({ mqtt }: CellDc): string => mqtt.replace('mqtt://', '')
  const who = [
    '--pubs',
    '50',
    '--subs',
    '50',
    '--topics',
    '50',
    '--qos',
    '1',
    '--persist',
    '--rate',
    String(RATE),
  ]
  const run = async (to: CellDc): Promise<{ ack: number; arrival: number }> => {
    const where = ['--pub-at', at(first), '--sub-at', at(to), '--warm', '2', '--time', String(seconds * 2)]
    const figures = await generate(generator, ['flow', ...who, ...where], unpinned)
    for (const problem of checkFlow(figures)) say(`commands: ${problem}`)
    return { ack: (figures['ackUs.p50'] ?? NaN) / 1000, arrival: (figures['latencyUs.p50'] ?? NaN) / 1000 }
  }
  const near = await run(first)
  const lines: Line[] = [
    {
      what: 'command to a device of the DC, PUBACK p50',
      value: `${near.ack.toFixed(1)} ms`,
      bar: atMost(near.ack, BAR_MS, ' ms'),
    },
  ]
  if (third === undefined) return lines
  const far = await run(third)
  lines.push(
    {
      what: `command to a device in ${third.name}, PUBACK p50`,
      value: `${far.ack.toFixed(1)} ms`,
      bar: atMost(far.ack, BAR_MS, ' ms'),
    },
    { what: 'its arrival there, p50', value: `${far.arrival.toFixed(1)} ms` },
  )
  return lines
}
