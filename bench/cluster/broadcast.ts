import { pino } from 'pino'
import { openCassandraStore } from '#cassandra/store/store.ts'
import { inbox, session, subscription } from '#platform/store/tables.ts'
import type { Cell } from '#scripts/cell/cell.ts'
import { compact } from '../bars.ts'
import { median } from '../statistics.ts'
import { atMost, type Bench, type Line } from './scenario.ts'
import { seedSessions } from './seed.ts'
import { enter } from './takeover.ts'

const TIMES = 5

/** Writes sessions behind the brokers' backs; they know them when they have been started again. */
export async function seedCell(cell: Cell, count: number, also?: string): Promise<void> {
  const { inventory, dcs } = cell
  const store = await openCassandraStore({
    contactPoints: [inventory.hosts[0].address],
    localDc: dcs[0].name,
    keyspace: 'cinque',
    tables: [session, subscription, inbox],
    log: pino({ level: 'silent' }),
  })
  await seedSessions(store, count, also)
  await store.close()
}

/** One message for 10 k persistent sessions that are away. */
export async function broadcast(cell: Cell, sessions: number, { say }: Bench): Promise<Line[]> {
  const { client } = await enter(cell.dcs[0], 'broadcaster')
  const times: number[] = []
  for (let n = 0; n < TIMES; n++) {
    const from = performance.now()
    await client.publishAsync('bench/all', `to all ${n}`, { qos: 1 })
    times.push(performance.now() - from)
    say(`broadcast: PUBACK after ${times[n].toFixed(0)} ms`)
  }
  client.end(true)
  const ms = median(times)
  return [
    {
      what: `broadcast to ${compact(sessions)} persistent sessions, PUBACK p50`,
      value: `${ms.toFixed(0)} ms (${compact(sessions / (ms / 1000))} rows/s)`,
    },
    {
      what: 'mutations of it: one inbox row a session, in each replica',
      value: `${sessions} x ${replicas(cell)}`,
    },
  ]
}

function replicas({ inventory }: Cell): number {
  return inventory.dcs.reduce((sum, dc) => sum + dc.replicas, 0)
}

/** 100 k sessions of a real node: how long a broker takes from its start until it takes clients. */
export async function restart(cell: Cell, count: number): Promise<Line[]> {
  const [dc] = cell.dcs
  await dc.kill('broker')
  const from = performance.now()
  await dc.start('broker')
  const seconds = (performance.now() - from) / 1000
  return [
    {
      what: `start of a broker with ${compact(count)} sessions in Cassandra`,
      value: `${seconds.toFixed(1)} s`,
      bar: atMost(seconds, 15, ' s'),
    },
  ]
}
