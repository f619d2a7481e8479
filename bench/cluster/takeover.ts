import { setTimeout as delay } from 'node:timers/promises'
import { connect, type IConnackPacket, type MqttClient } from 'mqtt'
import { delayBetween } from '#platform/inventory/wan.ts'
import type { Cell, CellDc } from '#scripts/cell/cell.ts'
import { median } from '../statistics.ts'
import { atMost, type Bench, type Line } from './scenario.ts'

const ALIVE = 20
const DEAD = 3
const EXTRA_MS = 50
const DEAD_MS = 2500
const PATIENCE_MS = 20_000
/** Between the death of a holder's process and the next: it has been started again by then. */
const REST_MS = 15_000

/** A connection of a persistent session, and how long it took to be let in. */
export interface Entrance {
  readonly client: MqttClient
  readonly ms: number
  readonly sessionPresent: boolean
}

/** Rejects when it is refused, or not answered in 20 s. */
export function enter(dc: CellDc, clientId: string): Promise<Entrance> {
  const from = performance.now()
  const client = connect(dc.mqtt, {
    clientId,
    protocolVersion: 5,
    clean: false,
    reconnectPeriod: 0,
    connectTimeout: PATIENCE_MS,
    properties: { sessionExpiryInterval: 3600 },
  })
  return new Promise((resolve, reject) => {
    client.once('connect', ({ sessionPresent }: IConnackPacket) => {
      client.on('error', () => undefined)
      resolve({ client, ms: performance.now() - from, sessionPresent })
    })
    client.once('error', reject)
    client.once('close', () => reject(new Error(`${dc.name} does not let ${clientId} in`)))
  })
}

/** A session moves from dc01 to dc03: its holder lives, or was killed a moment ago. */
export async function takeover(cell: Cell, { say }: Bench): Promise<Line[]> {
  const [first, , third] = cell.dcs
  const alive: number[] = []
  for (let n = 0; n < ALIVE; n++) {
    const here = await enter(first, `mover-${n}`)
    const there = await enter(third, `mover-${n}`)
    if (!there.sessionPresent) throw new Error('a session was lost on its way')
    alive.push(there.ms)
    here.client.end(true)
    there.client.end(true)
  }
  const dead: number[] = []
  for (let n = 0; n < DEAD; n++) {
    await enter(first, `orphan-${n}`)
    const { pid } = first.parts('broker')[0]
    if (pid !== null) process.kill(pid, 'SIGKILL')
    const there = await enter(third, `orphan-${n}`)
    if (!there.sessionPresent) throw new Error('a session was lost with its holder')
    dead.push(there.ms)
    there.client.end(true)
    say(`holder dead: ${there.ms.toFixed(0)} ms`)
    await delay(REST_MS)
  }
  const rtt = 2 * delayBetween(cell.inventory, first.name, third.name)
  const bound = 2 * rtt + EXTRA_MS
  const p50 = median(alive)
  const worst = Math.max(...dead)
  return [
    {
      what: `takeover between DCs, ${rtt} ms round trip, holder alive, p50 (worst)`,
      value: `${p50.toFixed(0)} ms (${Math.max(...alive).toFixed(0)})`,
      bar: atMost(p50, bound, ' ms'),
    },
    {
      what: 'takeover between DCs, holder dead, worst',
      value: `${worst.toFixed(0)} ms`,
      bar: atMost(worst, DEAD_MS, ' ms'),
    },
  ]
}
