import type { KeyObject } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { Clock } from '#platform/clock.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import type { Logger } from '#platform/log.ts'
import type { Metrics } from '#platform/metrics.ts'
import type { Timers } from '#platform/timers.ts'
import type { Access } from '../probes/access.ts'
import { allProbes } from '../probes/all.ts'
import type { Probe, Target } from '../probes/probe.ts'
import type { Voting } from '../votes/voting.ts'
import type { CheckerConfig } from './config.ts'
import { openDns } from './dns.ts'
import { feedGdnsd } from './gdnsd.ts'
import { hostAndPortOf } from './listen.ts'
import { ownFault } from './own-fault.ts'
import { openOverrides } from './overrides.ts'
import { Pages } from './pages.ts'
import { openPeople } from './people.ts'
import { Results } from './results.ts'
import type { Route } from './route.ts'
import { Scheduler } from './scheduler.ts'
import { serve as serveHttp } from './server.ts'
import { openVotes } from './votes.ts'

/** What the files that a configuration names say. */
export interface CheckerSecrets {
  /** Ed25519, signs votes. */
  readonly signingKey: KeyObject
  /** In the paths that DNS providers ask. */
  readonly path: string
  readonly deviceKey: string
  readonly apiKey: string
  /** PEM; undefined: the system's roots. */
  readonly probeCa: string | undefined
  /** PEM, between checkers. */
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string }
  /** Of the mail server. */
  readonly mailPassword: string | undefined
  /** That sign webhooks, in their order. */
  readonly webhookKeys: readonly Buffer[]
}

export interface CheckerOptions {
  readonly config: CheckerConfig
  readonly inventory: Inventory
  readonly secrets: CheckerSecrets
  readonly log: Logger
  readonly metrics: Metrics
  readonly clock: Clock
  readonly timers: Timers
  /** Has the last word on a probe; for tests that lose looks. */
  readonly wrap?: (probe: Probe) => Probe
}

export interface RunningChecker {
  /** `http://192.0.2.1:8053`; HTTPS is on the same port. */
  readonly url: string
  readonly results: Results
  readonly voting: Voting
  /** Resolves when every probe has looked at every host once. */
  readonly firstRound: Promise<void>
  close(): Promise<void>
}

/** Runs a vantage point. Rejects with the error of `listen`, or an Error of one line. */
export async function startChecker(options: CheckerOptions): Promise<RunningChecker> {
  const { config, inventory, secrets, metrics, clock, timers, log, wrap = (probe: Probe) => probe } = options
  const undo: (() => Promise<void> | void)[] = []
  const close = async (): Promise<void> => {
    // oxlint-disable-next-line no-await-in-loop -- in turn: what stands on others first
    for (const step of undo.splice(0).toReversed()) await step()
  }
  try {
    const results = new Results(metrics)
    const targets = targetsOf(inventory)
    const access = accessOf(options)
    const { probes, close: closeProbes } = allProbes({
      access,
      config: config.probe,
      targets,
      failing: (host) => results.failing(host),
      lost: (host) => scheduler.lookNow(host),
    })
    undo.push(closeProbes)
    const stalls = metrics.counter(
      'cinque_health_stalls_total',
      'Looks thrown away, as the checker itself stood still',
    )
    const { health } = inventory
    const scheduler = new Scheduler({
      looks: targets.flatMap((target) => probes.map((probe) => ({ probe: wrap(probe), target }))),
      interval: health.interval,
      downAfter: health.down_after,
      upAfter: health.up_after,
      timers,
      clock,
      onResult: (result) => results.add(result),
      onStall: (ms) => {
        stalls.value++
        log.warn(
          { event: 'health.stall', ms: Math.round(ms) },
          'this process stood still: a look does not count',
        )
      },
    })
    const serve = probes.filter(({ weight }) => weight === 'serve').map(({ name }) => name)
    const overrides = openOverrides(options, {
      access,
      targets,
      onChange: () => votes.voting.overridesChanged(),
    })
    undo.push(() => overrides.close())
    const votes = openVotes(options, serve, () => overrides.current())
    undo.push(() => votes.close())
    results.onResult((result) => {
      votes.voting.setFault(ownFault(results, targets))
      votes.voting.take(result)
    })
    undo.push(await openDns(options, votes.voting))
    undo.push(feedGdnsd(options, votes.voting))
    const people = openPeople(options, { access: accessOf(options), targets, results, votes })
    undo.push(() => people.close())
    const sources = [votes.source, people.source]
    const pages = new Pages({ checker: config.name, results, metrics, sources })
    undo.push(() => pages.close())
    const routes: Route[] = [pages.route, ...people.routes, votes.route]
    const server = await serveHttp({ ...listenAddress(options), routes, metrics, tls: secrets.tls })
    undo.push(() => server.close())
    votes.voting.start()
    overrides.start()
    people.start()
    undo.push(() => scheduler.stop())
    const firstRound = scheduler.start()
    return { url: server.url, results, voting: votes.voting, firstRound, close }
  } catch (error) {
    await close()
    throw error
  }
}

function accessOf({ config, inventory, secrets }: CheckerOptions): Access {
  const { probe, name } = config
  return {
    inventory,
    checker: name,
    serviceName: probe.service_name ?? serviceNameOf(inventory),
    secure: createSecureContext(secrets.probeCa === undefined ? {} : { ca: secrets.probeCa }),
    tls: probe.tls,
    device: { id: probe.device_id, key: secrets.deviceKey },
    apiKey: secrets.apiKey,
  }
}

/** The hosts that serve devices and users, in the order of the inventory, DCs in turn. */
function targetsOf({ dcs, hosts }: Inventory): Target[] {
  return hosts
    .filter(({ roles }) => roles.includes('app'))
    .flatMap((host) => dcs.filter(({ name }) => name === host.dc).map((dc) => ({ dc, host })))
}

/** What devices connect to, as far as the inventory says. */
function serviceNameOf({ dns, cell }: Inventory): string {
  return dns === undefined ? cell : `${dns.names[0]}.${dns.zone}`
}

function listenAddress({ config: { listen, name }, inventory }: CheckerOptions): {
  host: string
  port: number
} {
  if (listen === undefined) {
    const own = inventory.hosts.find((host) => host.name === name)
    return { host: own?.address ?? '127.0.0.1', port: inventory.ports.checker }
  }
  return hostAndPortOf(listen)
}
