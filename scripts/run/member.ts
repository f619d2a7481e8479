import { Broker } from '#broker/broker.ts'
import { Control } from '#broker/cluster/control.ts'
import { LiveEvents } from '#broker/cluster/live-events.ts'
import { PresenceLink } from '#broker/presence-link.ts'
import type { BrokerConfig } from '#broker/config.ts'
import { publisherOf } from '#broker/followed.ts'
import type { OutgoingMessage } from '#api/deps.ts'
import type { Bus } from '#platform/cluster/bus.ts'
import { type Clock, HybridClock, systemClock } from '#platform/clock.ts'
import { newIncarnation } from '#platform/cluster/incarnation.ts'
import type { Logger } from '#platform/log.ts'
import type { Metrics } from '#platform/metrics.ts'
import { openNatsBus } from '#platform/nats/nats-bus.ts'
import { openPlatform, type Platform } from '#platform/platform.ts'
import type { CassandraStore } from '#cassandra/store/cassandra-store.ts'
import { openCassandraStore } from '#cassandra/store/store.ts'
import { Durabilities } from '#platform/registry/durabilities.ts'
import { StoreError } from '#platform/store/store.ts'
import { everyTable } from '#platform/tables.ts'
import { systemTimers } from '#platform/timers.ts'
import { identityOptions } from '#scripts/cell/mail.ts'
import { credentialsOf, loadMember, type MemberConfig, pemsOf } from '#scripts/cell/member-config.ts'
import { readSecret } from '#scripts/cell/secret.ts'
import { CliError, errorLine } from '#scripts/output.ts'
import { pause } from '#scripts/pause.ts'
import { whenServed } from './when-served.ts'

/** For how long a store that was reached and does not answer is waited for at the start. */
const openLimitMs = 30_000
const openRetryMs = 500

/** How a process joins a cell. */
export interface MemberOptions {
  /** What `--cell` names. */
  readonly file: string
  /** In the inventory; one process at a time has it. */
  readonly name: string
  readonly config: BrokerConfig
  readonly log: Logger
  readonly metrics: Metrics
}

/** A process of a cell: the platform on the DC's store, and a broker that knows the others. */
export interface CellMember {
  readonly file: MemberConfig
  readonly platform: Platform
  /** Not started. */
  readonly broker: Broker
  readonly control: Control
  readonly clock: Clock
  /** Publishes at QoS 1; resolves when it is promised. */
  readonly publish: (message: OutgoingMessage) => Promise<void>
  /** Why nothing can be taken now, or null. */
  readonly notReady: () => string | null
  /** Why nothing can be stored now, or null. */
  readonly storeAway: () => string | null
  /** After the broker is drained: leaves the cell. */
  close(): Promise<void>
}

/** Connects to the DC's Cassandra and NATS. Rejects with CliError. */
export async function openMember({ file, name, config, log, metrics }: MemberOptions): Promise<CellMember> {
  if (config.data !== undefined) {
    throw new CliError('data: a process of a cell keeps nothing itself; leave it out', { exitCode: 2 })
  }
  const clock = systemClock
  const member = loadMember(file)
  const { dc, dc_number: dcNumber, dc_numbers: dcs, nats } = member
  const nkeySeed = nats.seed_file === undefined ? undefined : readSecret(nats.seed_file, 'nats.seed_file')
  const durabilities = new Durabilities()
  const store = await whenServed(log, () => openStore(member, durabilities, { log, metrics }))
  const { organisation, auth } = config
  const devices = { certificateIdentity: config.tls?.identity }
  const identity = identityOptions(member, readSecret)
  const place = { dc, process: name }
  const platform = await patiently(log, () =>
    openPlatform({
      store,
      log,
      metrics,
      clock,
      organisation,
      auth,
      devices,
      durability: (org) => durabilities.of(org),
      identity,
      place,
      quotas: config.quotas,
    }),
  )
  const { organisations } = platform.registry
  const following = await patiently(log, () => durabilities.follow(organisations, systemTimers, log))
  const incarnation = newIncarnation(new HybridClock(clock).next(), dcNumber)
  const bus = await openNatsBus({
    servers: nats.servers,
    address: incarnation.toString('hex'),
    ...(nats.tls === undefined ? {} : { tls: { caFile: nats.tls.ca } }),
    ...(nkeySeed === undefined ? {} : { nkeySeed }),
    log,
    metrics,
  }).catch((error: unknown) => {
    throw new CliError(`nats: ${errorLine(error)}`, { exitCode: 2, cause: error })
  })
  const deps = { ...platform, config, store, log, metrics, clock, cell: { bus, incarnation, name, dc, dcs } }
  const broker = new Broker(deps)
  const publish = publisherOf(broker)
  platform.outlet.open(publish)
  platform.commands.sweeper.start()
  platform.telemetry.start(systemTimers)
  platform.usage.start(systemTimers)
  const control = new Control(broker, platform)
  if (broker.cell !== null) LiveEvents.join(broker.cell, platform.live)
  PresenceLink.join(broker, platform.presence)
  broker.onNameTaken = () => {
    // Two that take each other's messages are worse than one too few.
    process.stderr.write(
      `cinque: another process of this cell is called ${name}\n  Give each its own: --name.\n`,
    )
    process.exit(1)
  }
  return {
    file: member,
    platform,
    broker,
    control,
    clock,
    publish,
    storeAway: () => (store.healthy ? null : `Cassandra of ${dc} does not answer`),
    notReady: () => whyNotReady(broker, bus),
    close: async () => {
      following.stop()
      await bus.close()
      await platform.close()
      await store.close()
    },
  }
}

function whyNotReady({ cell }: Broker, bus: Bus): string | null {
  if (cell === null) return null
  const { clockTrouble } = cell.channels
  if (clockTrouble !== null) return clockTrouble
  if (!cell.ready) return 'the tables of the other processes have not been taken in yet'
  return bus.connected ? null : 'NATS cannot be reached'
}

/** Tries again for a while: a DC that has just come back is slow at first. */
async function patiently<T>(log: Logger, open: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + openLimitMs
  for (;;) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- one try after the other
      return await open()
    } catch (error) {
      const passing = error instanceof StoreError && error.code === 'unavailable'
      if (!passing || performance.now() > deadline) throw error
      log.warn({ event: 'store.waiting', err: error }, 'the store does not answer yet')
      // oxlint-disable-next-line no-await-in-loop
      await pause(openRetryMs)
    }
  }
}

async function openStore(
  member: MemberConfig,
  durabilities: Durabilities,
  { log, metrics }: Pick<MemberOptions, 'log' | 'metrics'>,
): Promise<CassandraStore> {
  const { dc, dc_kind: kind, cassandra } = member
  const access = { ...credentialsOf(cassandra), ...pemsOf(cassandra.tls) }
  return openCassandraStore({
    contactPoints: cassandra.contact_points,
    localDc: dc,
    keyspace: cassandra.keyspace,
    ...access,
    tables: everyTable,
    backup: kind === 'backup',
    log,
    metrics,
    durability: (org) => durabilities.of(org),
  })
}
