import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { statusConfig } from '#healthcheck/status/config.ts'
import { Status } from '#healthcheck/status/status.ts'
import { ActiveAlerts } from '#healthcheck/alerts/active.ts'
import type { Alert } from '#healthcheck/alerts/alert.ts'
import { conditionsOf } from '#healthcheck/alerts/conditions.ts'
import type { View } from '#healthcheck/alerts/view.ts'
import type { Standing, Verdict, Vote } from '#healthcheck/votes/vote.ts'
import { checkInventory } from '#platform/inventory/inventory.ts'
import { createLogger } from '#platform/log.ts'
import type { Plan } from '#platform/maintenance/plan.ts'
import { Metrics } from '#platform/metrics.ts'
import { VirtualClock, VirtualTime, VirtualTimers } from '../../virtual-time.ts'

export const checkers = ['c1', 'c2', 'c3', 'c4', 'c5']

const places = { dc01: 'Montreal', dc02: 'Miami', dc03: 'Nürnberg' }
export const inventory = checkInventory(
  {
    cell: 'acme',
    dcs: Object.entries(places).map(([name, place], i) => ({
      name,
      number: i + 1,
      place,
      kind: 'live',
      replicas: 1,
    })),
    hosts: [
      ...Object.keys(places).flatMap((dc, i) =>
        ['app1', 'app2'].map((app, n) => ({
          name: `${dc}-${app}`,
          dc,
          roles: n === 0 ? ['app', 'db'] : ['app'],
          address: `192.0.2.${10 * i + n + 1}`,
        })),
      ),
      ...checkers.map((name, i) => ({
        name,
        dc: 'outside',
        roles: ['checker'],
        address: `198.51.100.${i + 1}`,
      })),
    ],
  },
  'inventory',
)
const subjects = [
  ...inventory.dcs.map(({ name }) => name),
  ...inventory.hosts.filter(({ roles }) => roles.includes('app')).map(({ name }) => name),
]

/** What is seen when all is well, but for what is said here. */
export function viewOf(
  bad: Readonly<Record<string, Partial<Standing>>> = {},
  {
    plans = [],
    speaking = checkers,
    says = {},
  }: {
    plans?: Plan[]
    speaking?: readonly string[]
    says?: Readonly<Record<string, Readonly<Record<string, Verdict>>>>
  } = {},
): View {
  const standings = subjects.map(
    (subject): Standing => ({
      subject,
      state: 'up',
      serving: true,
      percent: 100,
      reason: 'all say up',
      ...bad[subject],
    }),
  )
  const votes = speaking.flatMap((checker) =>
    subjects.map(
      (subject): Vote => ({
        checker,
        subject,
        verdict: says[checker]?.[subject] ?? bad[subject]?.state ?? 'up',
        since: 0,
      }),
    ),
  )
  return { standings, votes, results: [], plans }
}

export const down = {
  state: 'down',
  serving: false,
  percent: 0,
  reason: '5 of 5 checkers: <b>refused</b>',
} as const

/** A status page in a directory of its own, and time that passes when it is told to. */
export class World {
  readonly time = new VirtualTime()
  readonly clock: VirtualClock
  readonly directory = mkdtempSync(join(tmpdir(), 'cinque-status-'))
  readonly metrics = new Metrics()
  view = viewOf()
  alerts: Alert[] = []
  active: ActiveAlerts
  status: Status
  readonly #config: Record<string, unknown>
  #timers = new VirtualTimers(this.time)

  constructor(config: Record<string, unknown> = {}, start = Date.UTC(2026, 10, 21, 12)) {
    this.#config = config
    this.clock = new VirtualClock(this.time, 0, start)
    this.active = new ActiveAlerts(this.clock)
    this.status = this.#open()
  }

  /** Lets so many seconds pass, with a look each five of them. */
  pass(seconds: number): void {
    for (let i = 0; i < seconds; i += 5) {
      this.time.run(5000)
      this.look()
    }
  }

  look(): void {
    const conditions = conditionsOf(inventory, this.view)
    this.alerts = this.active.look(conditions, this.time.now)
    this.status.look(
      this.view,
      this.alerts,
      conditions.some(({ name }) => name === 'CheckersBlind'),
    )
  }

  /** The process ends (kill -9, or in good order) and begins anew. */
  restart(how: 'kill' | 'stop'): void {
    if (how === 'stop') this.status.close()
    this.#timers.kill()
    this.#timers = new VirtualTimers(this.time)
    this.active = new ActiveAlerts(this.clock)
    this.status = this.#open()
  }

  page(): string {
    this.time.run(5000)
    return this.status.files()['index.html']
  }

  remove(): void {
    rmSync(this.directory, { recursive: true })
  }

  #open(): Status {
    return new Status({
      inventory,
      config: statusConfig.parse(this.#config),
      directory: this.directory,
      clock: this.clock,
      timers: this.#timers,
      log: createLogger({ level: 'silent' }),
      metrics: this.metrics,
    })
  }
}

export function plan(change: Partial<Plan>): Plan {
  return {
    id: 'w1',
    kind: 'maintenance',
    title: 'New disks',
    description: '',
    subjects: [],
    alerts: [],
    owner: 'ann@example.com',
    startsAt: 0,
    endsAt: 0,
    createdAt: 0,
    version: 1,
    ...change,
  }
}
