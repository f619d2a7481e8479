import type { KeyObject } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { Clock } from '#platform/clock.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import type { Logger } from '#platform/log.ts'
import type { Metrics } from '#platform/metrics.ts'
import type { Timers } from '#platform/timers.ts'
import { allProbes } from '../probes/all.ts'
import type { Target } from '../probes/probe.ts'
import type { CheckerConfig } from './config.ts'
import { Pages } from './pages.ts'
import { Results } from './results.ts'
import type { Route } from './route.ts'
import { Scheduler } from './scheduler.ts'
import { serve } from './server.ts'

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
}

export interface CheckerOptions {
  readonly config: CheckerConfig
  readonly inventory: Inventory
  readonly secrets: CheckerSecrets
  readonly log: Logger
  readonly metrics: Metrics
  readonly clock: Clock
  readonly timers: Timers
}

export interface RunningChecker {
  /** `http://192.0.2.1:8053`; HTTPS is on the same port. */
  readonly url: string
  readonly results: Results
  /** Resolves when every probe has looked at every host once. */
  readonly firstRound: Promise<void>
  close(): Promise<void>
}

/** Runs a vantage point. Rejects with the error of `listen`. */
export async function startChecker(options: CheckerOptions): Promise<RunningChecker> {
  const { config, inventory, secrets, metrics, clock, timers } = options
  const results = new Results(metrics)
  const targets = targetsOf(inventory)
  const { probes, close: closeProbes } = allProbes({
    access: {
      inventory,
      checker: config.name,
      serviceName: config.probe.service_name ?? serviceNameOf(inventory),
      secure: createSecureContext(secrets.probeCa === undefined ? {} : { ca: secrets.probeCa }),
      tls: config.probe.tls,
      device: { id: config.probe.device_id, key: secrets.deviceKey },
      apiKey: secrets.apiKey,
    },
    config: config.probe,
    targets,
    failing: (host) => results.failing(host),
    lost: (host) => scheduler.lookNow(host),
  })
  const scheduler = new Scheduler({
    looks: targets.flatMap((target) => probes.map((probe) => ({ probe, target }))),
    interval: inventory.health.interval,
    downAfter: inventory.health.down_after,
    timers,
    clock,
    onResult: (result) => results.add(result),
  })
  const pages = new Pages({ checker: config.name, results, metrics, sources: [] })
  const routes: Route[] = [pages.route]
  const server = await serve({ ...listenAddress(options), routes, metrics, tls: secrets.tls })
  const firstRound = scheduler.start()
  return {
    url: server.url,
    results,
    firstRound,
    close: async () => {
      await scheduler.stop()
      await closeProbes()
      pages.close()
      await server.close()
    },
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
  const at = listen.lastIndexOf(':')
  return { host: listen.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(listen.slice(at + 1)) }
}
