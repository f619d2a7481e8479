import { hash } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import type { Clock } from '#platform/clock.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import type { Logger } from '#platform/log.ts'
import type { Metrics } from '#platform/metrics.ts'
import type { Timer, Timers } from '#platform/timers.ts'
import type { Alert } from '../alerts/alert.ts'
import type { View } from '../alerts/view.ts'
import type { ProbeResult } from '../probes/probe.ts'
import { placesOf } from './announcements.ts'
import type { StatusConfig } from './config.ts'
import { documentOf } from './document.ts'
import { feedOf } from './feed.ts'
import { History, keptHistory } from './history.ts'
import { Incidents, keptIncidents } from './incidents.ts'
import { pageOf } from './page.ts'
import { type Report, reportOf, service, serviceState, stateOf } from './report.ts'
import { readKept, writeWhole } from './state-file.ts'

export interface StatusOptions {
  readonly inventory: Pick<Inventory, 'cell' | 'dcs' | 'hosts'>
  readonly config: StatusConfig
  /** Directory for what must survive a restart. */
  readonly directory: string
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Logger
  readonly metrics: Metrics
}

/** The files of the status page, by name. */
export interface Files {
  readonly 'index.html': string
  readonly 'status.json': string
  readonly 'feed.xml': string
}

/** How often what has passed is kept on disk, and the page written, when nothing happens. */
const keepMs = 60_000
/** Pages are made anew for whoever asks, but not more often. */
const freshMs = 5000

const kept = z.strictObject({ version: z.literal(1), history: keptHistory, incidents: keptIncidents })

/** What the status page shows, kept over restarts, rendered, and written to where others serve it. */
export class Status {
  readonly #options: StatusOptions
  readonly #history: History
  readonly #incidents: Incidents
  #view: View | null = null
  /** Nothing is known before the first look. */
  #blind = true
  /** Monotonic milliseconds of the look before. */
  #lookedAt: number | null = null
  #files: { readonly at: number; readonly files: Files } | null = null
  readonly #timer: Timer
  #unwritten = 0

  constructor(options: StatusOptions) {
    this.#options = options
    const { inventory, log, timers, metrics } = options
    const before = readKept(this.#path, kept, log)
    this.#history = new History(before?.history)
    this.#history.retain([service, ...inventory.dcs.map(({ name }) => name)])
    this.#incidents = new Incidents(placesOf(inventory), before?.incidents)
    this.#timer = timers.every(keepMs, () => this.#keep())
    const dcs = [service, ...inventory.dcs.map(({ name }) => name)]
    metrics.gauge(
      'cinque_status_availability',
      'Share of this month that a datacenter, or the service, was up',
      () =>
        dcs.flatMap((name) => {
          const share = this.#month(name)
          return share === null ? [] : [[{ subject: name }, share] as [Record<string, string>, number]]
        }),
    )
    metrics.gauge(
      'cinque_status_incidents_open',
      'Incidents that the status page shows as open',
      () => this.#incidents.list.filter(({ closedAt }) => closedAt === null).length,
    )
    metrics.gauge(
      'cinque_status_unwritten',
      'Times in a row that the status page or its history could not be written',
      () => this.#unwritten,
    )
  }

  /**
   * Called some times a minute at least: between two looks it was as at the second. `blind`: too few checkers are heard to
   * know how it is.
   */
  look(view: View, alerts: readonly Alert[], blind: boolean): void {
    const { inventory, clock, timers } = this.#options
    const [at, now] = [clock.now(), timers.monotonic()]
    const elapsed = this.#lookedAt === null ? 0 : now - this.#lookedAt
    this.#lookedAt = now
    this.#blind = blind || view.standings.length === 0
    for (const { name } of inventory.dcs) {
      const standing = view.standings.find(({ subject }) => subject === name)
      this.#history.passed(name, this.#blind ? 'unknown' : stateOf(standing, view.plans, at), at, elapsed)
    }
    this.#history.passed(service, serviceState(view.standings, inventory.dcs, this.#blind), at, elapsed)
    const first = this.#view === null
    this.#view = view
    if (this.#incidents.look(alerts, view.plans, at) || first) this.#keep()
  }

  /** What a probe found: its time is part of the curve, if it is that of the probe that is shown. */
  result({ probe, ok, dc, ms, at }: ProbeResult): void {
    if (ok && probe === this.#options.config.response_probe) this.#history.answered(dc, at, ms)
  }

  /** The page as it is now, at most five seconds old. */
  files(): Files {
    const now = this.#options.timers.monotonic()
    if (this.#files === null || now - this.#files.at >= freshMs)
      this.#files = { at: now, files: this.#render() }
    return this.#files.files
  }

  report(): Report {
    const { inventory, config, clock } = this.#options
    return reportOf({
      title: config.title ?? `${inventory.cell} status`,
      url: config.url ?? null,
      target: config.objective / 100,
      dcs: inventory.dcs,
      standings: this.#view?.standings ?? [],
      blind: this.#blind,
      incidents: this.#incidents.list,
      plans: this.#view?.plans ?? [],
      history: this.#history,
      at: clock.now(),
    })
  }

  /** Keeps what there is. */
  close(): void {
    this.#timer.cancel()
    this.#keep()
  }

  get #path(): string {
    return join(this.#options.directory, 'status.json')
  }

  #month(name: string): number | null {
    const [month] = this.#history.months(name)
    if (month === undefined) return null
    const [up, degraded, down] = month.seconds
    const known = up + degraded + down
    return known === 0 ? null : (up + degraded) / known
  }

  #render(): Files {
    const report = this.report()
    const { overall, dcs, incidents, maintenance } = report
    const seen = [overall, dcs.map(({ state, percent }) => [state, percent]), incidents, maintenance]
    const revision = hash('sha256', JSON.stringify(seen)).slice(0, 16)
    return {
      'index.html': pageOf(report, revision),
      'status.json': documentOf(report, revision),
      'feed.xml': feedOf(report),
    }
  }

  #keep(): void {
    const { config, log } = this.#options
    try {
      const state = { version: 1, history: this.#history, incidents: this.#incidents.list }
      writeWhole(this.#path, JSON.stringify(state))
      this.#files = null
      if (config.publish !== undefined) {
        for (const [name, text] of Object.entries(this.files())) writeWhole(join(config.publish, name), text)
      }
      this.#unwritten = 0
    } catch (error) {
      // The checks go on: the next minute tries again, and the metric says it.
      if (this.#unwritten++ === 0)
        log.error(
          { event: 'status.unwritten', err: error },
          'the status page or its history can not be written',
        )
    }
  }
}
