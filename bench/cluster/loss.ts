import { setTimeout as delay } from 'node:timers/promises'
import type { Cell } from '#scripts/cell/cell.ts'
import { buildGenerator, generate } from '../generator.ts'
import { unpinned } from '../process.ts'
import { atMost, type Bench, type Line } from './scenario.ts'
import { enter } from './takeover.ts'

const DEVICES = 1000
const RATE = 500
/** Before, and after the death of the DC while it is away. */
const LOOK_S = 12
/** For Cassandra to start, brokers to load, and what was held back to come. */
const RETURN_S = 45
const SESSIONS = 20
const TIMES = 2
const ELSEWHERE_MS = 10_000

/** A whole DC dies under 1,000 devices with QoS 1 all over the world, and comes back. */
export async function loss(cell: Cell, { say }: Bench): Promise<Line[]> {
  const generator = await buildGenerator()
  const [first, second, lost, ...backups] = cell.dcs
  const at = (...dcs: { mqtt: string }[]): string =>
    dcs.map(({ mqtt }) => mqtt.replace('mqtt://', '')).join(',')
  const others = [first, second, ...backups]

  const everywhere = [
    '--pubs',
    String(DEVICES),
    '--topics',
    String(DEVICES),
    '--wild',
    '--subs',
    '1',
    '--persist',
  ]
  const flow = ['flow', ...everywhere, '--qos', '1', '--window', '4', '--rate', String(RATE)]
  const where = ['--pub-at', at(...cell.dcs), '--sub-at', at(first), '--reconnect', '200']
  const time = ['--warm', '5', '--time', String(2 * LOOK_S + RETURN_S), '--drain', '60']
  const load = generate(generator, [...flow, ...where, ...time], unpinned)
  load.catch(() => undefined)
  await delay(8000)
  const look = async (): Promise<number> => {
    const who = ['--pubs', '8', '--topics', '8', '--subs', '8', '--qos', '1', '--persist', '--rate', '80']
    const there = ['--pub-at', at(...others), '--sub-at', at(...others)]
    const brief = ['--warm', '0', '--time', String(LOOK_S - 3), '--drain', '2']
    const seen = await generate(generator, ['flow', ...who, ...there, ...brief], unpinned)
    return (seen['ackUs.p99'] ?? NaN) / 1000
  }
  const before = await look()
  const homeless = await Promise.all(Array.from({ length: SESSIONS }, (_, n) => enter(lost, `homeless-${n}`)))
  say(`p99 before ${before.toFixed(0)} ms; ${lost.name} dies`)
  const during = look()
  const death = lost.kill()
  const moves = homeless.map(async ({ client }, n) => {
    if (client.connected) await new Promise<void>((gone) => void client.once('close', () => gone()))
    const from = performance.now()
    for (;;) {
      try {
        const there = await enter(first, `homeless-${n}`)
        there.client.end(true)
        if (!there.sessionPresent) throw new Error('a session was lost with its DC')
        return performance.now() - from
      } catch (error) {
        if (performance.now() - from > ELSEWHERE_MS * 3) throw error
        await delay(200)
      }
    }
  })
  const elsewhere = Math.max(...(await Promise.all(moves)))
  const whileLost = await during
  await death
  say(`sessions elsewhere after ${elsewhere.toFixed(0)} ms, p99 ${whileLost.toFixed(0)} ms; it comes back`)
  await lost.start()
  const figures = await load
  const missing = figures['lost'] ?? NaN
  const unacked = figures['unacked'] ?? NaN
  const ratio = whileLost / before
  return [
    {
      what: `DC lost under ${DEVICES} devices, ${RATE} msg/s: lost of ${figures['acked'] ?? 0} acknowledged, after its return`,
      value: `${missing}${unacked > 0 ? `, ${unacked} not acknowledged` : ''}, ${figures['reordered'] ?? 0} late, ${figures['duplicated'] ?? 0} twice`,
      bar: atMost(missing, 0),
    },
    {
      what: 'publish p99 in the other DCs, during : before',
      value: `${ratio.toFixed(2)} (${whileLost.toFixed(0)} : ${before.toFixed(0)} ms)`,
      bar: atMost(ratio, TIMES),
    },
    {
      what: 'its sessions elsewhere, from the reconnect, worst',
      value: `${(elsewhere / 1000).toFixed(1)} s`,
      bar: atMost(elsewhere / 1000, ELSEWHERE_MS / 1000, ' s'),
    },
  ]
}
