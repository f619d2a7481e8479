import { hash } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import { smtpMailer } from '#platform/identity/smtp.ts'
import { smtpOptions } from '#platform/identity/smtp-config.ts'
import type { Plan } from '#platform/maintenance/plan.ts'
import type { Timer } from '#platform/timers.ts'
import type { Alert } from '../alerts/alert.ts'
import { ActiveAlerts } from '../alerts/active.ts'
import { conditionsOf } from '../alerts/conditions.ts'
import type { View } from '../alerts/view.ts'
import { type Channel, mail } from '../notify/channel.ts'
import { Notifier } from '../notify/notifier.ts'
import { notifiedRoute } from '../notify/route.ts'
import { webhook } from '../notify/webhook.ts'
import type { Access } from '../probes/access.ts'
import type { Target } from '../probes/probe.ts'
import { Rest } from '../probes/rest.ts'
import { statusRoute } from '../status/route.ts'
import { Status } from '../status/status.ts'
import { type Voting, votingDefaults } from '../votes/voting.ts'
import type { CheckerOptions } from './checker.ts'
import { askHosts, Followed } from './followed.ts'
import type { HealthSource } from './pages.ts'
import type { Results } from './results.ts'
import type { Route } from './route.ts'
import { StateFile } from './state.ts'
import type { Votes } from './votes.ts'

/** How often conditions are looked at. */
const lookMs = 1000

const plan = z.object({
  id: z.string(),
  kind: z.enum(['maintenance', 'silence']),
  title: z.string(),
  description: z.string(),
  subjects: z.array(z.string()),
  alerts: z.array(z.string()),
  starts_at: z.iso.datetime(),
  ends_at: z.iso.datetime(),
  created_at: z.iso.datetime(),
})

export interface People {
  readonly routes: readonly Route[]
  readonly source: HealthSource
  start(): void
  close(): void
}

/** What the checker tells people: alerts, the status page, letters and webhooks. */
export function openPeople(
  options: CheckerOptions,
  {
    access,
    targets,
    results,
    votes,
  }: { access: Access; targets: readonly Target[]; results: Results; votes: Votes },
): People {
  const { config, inventory, secrets, log, metrics, clock, timers } = options
  const rest = new Rest(access, () => undefined)
  const plans = new Followed({
    name: 'plans',
    ageMetric: 'cinque_health_plans_age_seconds',
    item: plan,
    ...askHosts(rest, secrets.apiKey, targets, '/v1/checkers/plans'),
    file: new StateFile<readonly z.output<typeof plan>[]>(join(config.state, 'plans.json'), log),
    everyMs: 15_000,
    timers,
    log,
    metrics,
  })
  const active = new ActiveAlerts(clock)
  const directory = config.state
  const status = new Status({ inventory, config: config.status, directory, clock, timers, log, metrics })
  const notifier = new Notifier({
    ...options,
    checker: config.name,
    directory,
    channels: channelsOf(options),
    about: { cell: inventory.cell, runbooks: config.notify.runbooks, url: config.status.url ?? null },
    repeatMs: config.notify.repeat_hours * 3_600_000,
    live: () => heard(votes.voting),
    read: (checker, signal) => votes.notified(checker, signal),
  })
  const forget = results.onResult((result) => status.result(result))
  const listeners: (() => void)[] = []
  let alerts: readonly Alert[] = []
  metrics.gauge('cinque_health_alerts', 'Alerts that this checker sees', () =>
    alerts.map(({ name, subject, severity }): [Record<string, string>, number] => [
      { alert: name, subject, severity },
      1,
    ]),
  )
  const look = (): void => {
    const view = viewOf(votes.voting, results, plans.items.map(planOf))
    const before = alerts.map(({ key }) => key).join(' ')
    const conditions = conditionsOf(inventory, view)
    alerts = active.look(conditions, timers.monotonic())
    status.look(
      view,
      alerts,
      conditions.some(({ name }) => name === 'CheckersBlind'),
    )
    notifier.look(alerts, view.plans)
    if (alerts.map(({ key }) => key).join(' ') !== before) for (const listener of listeners) listener()
  }
  let timer: Timer | null = null
  return {
    routes: [
      statusRoute(() => status.files()),
      notifiedRoute({ secret: secrets.path, page: () => notifier.page() }),
    ],
    source: {
      name: 'alerts',
      value: () => alerts.map((one) => ({ ...one, since: new Date(one.since).toISOString() })),
      onChange: (listener) => void listeners.push(listener),
    },
    start: () => {
      plans.start()
      timer = timers.every(lookMs, look)
    },
    close: () => {
      timer?.cancel()
      forget()
      plans.stop()
      rest.close()
      notifier.close()
      status.close()
    },
  }
}

/** The receivers: each person and each address is one, so that one that fails does not make the others hear it twice. */
function channelsOf({ config: { notify }, secrets }: CheckerOptions): Channel[] {
  const { email, webhooks } = notify
  const mailer = email === undefined ? null : smtpMailer(smtpOptions(email.smtp, secrets.mailPassword))
  return [
    ...(email?.to ?? []).flatMap((to) =>
      mailer === null ? [] : [mail({ name: nameOf('mail', to), to, mailer })],
    ),
    ...webhooks.map(({ url }, i) =>
      webhook({ name: nameOf('webhook', url), url, key: secrets.webhookKeys[i] }),
    ),
  ]
}

/** The same at all checkers; says nothing of an address. */
function nameOf(kind: string, address: string): string {
  return `${kind}:${hash('sha256', address).slice(0, 16)}`
}

/** Other checkers whose votes count now. */
function heard(voting: Voting): string[] {
  const { neighbours } = voting.snapshot()
  return neighbours.flatMap(({ checker, ageMs }) =>
    ageMs !== null && ageMs <= votingDefaults.voteTtlMs ? [checker] : [],
  )
}

function viewOf(voting: Voting, results: Results, plans: readonly Plan[]): View {
  const { standings, ballots } = voting.snapshot()
  return {
    standings: Array.from(standings.values()),
    votes: ballots
      .filter(({ ageMs }) => ageMs <= votingDefaults.voteTtlMs)
      .flatMap(({ votes }) => Array.from(votes.values())),
    results: Array.from(results.records, ({ last }) => last),
    plans,
  }
}

function planOf({
  starts_at: starts,
  ends_at: ends,
  created_at: created,
  ...rest
}: z.output<typeof plan>): Plan {
  const times = { startsAt: Date.parse(starts), endsAt: Date.parse(ends), createdAt: Date.parse(created) }
  return { ...rest, ...times, owner: '', version: 0 }
}
