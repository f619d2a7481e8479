// A broker of a cell on a store in memory: what scenarios about the way between processes start.
import { pino } from 'pino'
import { Broker } from '#broker/broker.ts'
import { brokerConfig } from '#broker/config.ts'
import { ConfigAuthenticator } from '#platform/auth/config-authenticator.ts'
import { HybridClock, systemClock } from '#platform/clock.ts'
import { newIncarnation } from '#platform/cluster/incarnation.ts'
import { Metrics } from '#platform/metrics.ts'
import { openNatsBus } from '#platform/nats/nats-bus.ts'
import { Lanes } from '#platform/store/lanes.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { noConventions } from '#platform/telemetry/conventions.ts'

/** Its only argument, as JSON. */
export interface MemberTask {
  readonly name: string
  readonly dc: number
  readonly dcs: readonly number[]
  readonly listen: string
  readonly nats: string
  readonly caFile: string
  readonly nkeySeed: string
}

/** Messages to whoever forked it. */
export type MemberWord = 'ready' | { readonly members: number }

/** The same gates as in `npm run bench`: evaluated for every message, and they never bite. */
const gates = {
  auth: {
    anonymous: true,
    acl: [
      { effect: 'deny', access: 'all', filter: 'forbidden/#' },
      { effect: 'allow', access: 'publish', filter: 'bench/#' },
      { effect: 'allow', access: 'subscribe', filter: 'bench/#' },
      { effect: 'allow', access: 'all', filter: '#' },
    ],
  },
  limits: { message_rate: 1_000_000_000, byte_rate: 2_000_000_000 },
  sys_interval: 0,
}

const task = JSON.parse(process.argv[2] ?? '') as MemberTask
const log = pino({ level: 'warn' }, pino.destination(2))
const metrics = new Metrics()
const config = brokerConfig.parse({ ...gates, listen: [task.listen] })
const store = new MemoryStore()
const incarnation = newIncarnation(new HybridClock(systemClock).next(), task.dc)
const bus = await openNatsBus({
  servers: [task.nats],
  address: incarnation.toString('hex'),
  tls: { caFile: task.caFile },
  nkeySeed: task.nkeySeed,
  log,
  metrics,
})
const { name, dc, dcs } = task
const broker = new Broker({
  config,
  store,
  lanes: new Lanes(store, log),
  authenticator: new ConfigAuthenticator({ ...config.auth, organisation: config.organisation }),
  conventions: noConventions,
  log,
  metrics,
  clock: systemClock,
  cell: { bus, incarnation, name, dc: `dc0${dc}`, dcs },
})
await broker.start()
process.on('disconnect', () => process.exit())
process.on('message', () => process.send?.({ members: broker.cell?.channels.inContact ?? 0 }))
process.send?.('ready' satisfies MemberWord)
