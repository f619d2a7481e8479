// Loads a cell's sessions from a store in memory, and says what that costs: forked by sessions.ts with --expose-gc.
import { pino } from 'pino'
import { Broker } from '#broker/broker.ts'
import { brokerConfig } from '#broker/config.ts'
import { Message } from '#broker/message.ts'
import { encodeStored } from '#broker/stored-message.ts'
import { ConfigAuthenticator } from '#platform/auth/config-authenticator.ts'
import { HybridClock, systemClock } from '#platform/clock.ts'
import { newIncarnation } from '#platform/cluster/incarnation.ts'
import { LocalHub } from '#platform/cluster/local-bus.ts'
import { hash128 } from '#platform/hash.ts'
import { Metrics } from '#platform/metrics.ts'
import { Lanes } from '#platform/store/lanes.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { Batch } from '#platform/store/store.ts'
import { retained } from '#platform/store/tables.ts'
import { noConventions } from '#platform/telemetry/conventions.ts'
import { seedSessions } from './seed.ts'

/** Its only argument, as JSON. */
export interface SessionsTask {
  readonly sessions: number
  readonly retained: number
}

/** What it says. */
export interface SessionsReport {
  /** Of everything that the sessions are in memory, without the store. */
  readonly bytes: number
  readonly ms: number
  readonly known: number
}

const task = JSON.parse(process.argv[2] ?? '') as SessionsTask
const log = pino({ level: 'warn' }, pino.destination(2))
const store = new MemoryStore()
const config = brokerConfig.parse({ listen: [], auth: { anonymous: true }, sys_interval: 0 })
await seedSessions(store, task.sessions)
await seedRetained(task.retained)
const incarnation = newIncarnation(new HybridClock(systemClock).next(), 1)
const broker = new Broker({
  config,
  store,
  lanes: new Lanes(store, log),
  authenticator: new ConfigAuthenticator({ ...config.auth, organisation: config.organisation }),
  conventions: noConventions,
  log,
  metrics: new Metrics(),
  clock: systemClock,
  cell: {
    bus: new LocalHub().open(incarnation.toString('hex')),
    incarnation,
    name: 'bench',
    dc: 'dc01',
    dcs: [1],
  },
})
const before = used()
const from = performance.now()
await broker.start()
const ms = performance.now() - from
process.send?.({
  bytes: used() - before,
  ms,
  known: broker.cell?.directory.size ?? 0,
} satisfies SessionsReport)
process.disconnect?.()
await broker.drain()

function used(): number {
  for (let i = 0; i < 3; i++) globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** State topics of 100 bytes. */
async function seedRetained(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1000) {
    const batch = new Batch()
    for (let i = n; i < Math.min(n + 1000, count); i++) {
      const topic = `v1/devices/device-${String(i).padStart(7, '0')}/state`
      const message = new Message(topic, Buffer.alloc(100, 1), 1, true)
      const topic_hash = hash128(topic)
      batch.put(retained, {
        org: config.organisation,
        bucket: topic_hash[0],
        topic_hash,
        topic,
        message: encodeStored({ message, qos: 1, retain: true, identifiers: null, topic: null }, null),
        stamp: (Date.now() - 60_000) * 1024,
      })
    }
    await store.write(batch)
  }
}
