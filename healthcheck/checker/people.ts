import { hash } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import { smtpMailer } from '#platform/identity/smtp.ts'
import { smtpOptions } from '#platform/identity/smtp-config.ts'
import type { Plan } from '#platform/maintenance/plan.ts'
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
import { votingDefaults } from '../votes/voting.ts'
import type { CheckerOptions } from './checker.ts'
import { Followed } from './followed.ts'
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
  { access, targets, results, votes }: { access: Access; targets: readonly Target[]; results: Results; votes: Votes },
): People {
  const { config, inventory, secrets, log, metrics, clock, timers } = options
  const rest = new Rest(access, () => undefined)
  const file = new StateFile<z.output<typeof plan>[]>(join(config.state, 'plans.json'), log)
  const plans = new Followed({
    name: 'plans',
    path: '/v1/checkers/plans',
    item: plan,
    apiKey: secrets.apiKey,
    rest,
    targets,
    file,
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
    live: () => heard(votes),
    read: votes.notified,
  })
  const forget = results.onResult((result) => status.result(result))
  const listeners: (() => void)[] = []
  let alerts = active.look([], timers.monotonic())
  metrics.gauge('cinque_health_alerts', 'Alerts that this checker sees', () =>
    alerts.map(({ name, subject, severity }): [Record<string, string>, number] => [{ alert: name, subject, severity }, 1]),
  )
  const look = (): void => {
    const view = viewOf(votes, results, plans.items.map(planOf))
    const before = alerts.map(({ key }) => key).join(' ')
    alerts = active.look(conditionsOf(inventory, view), timers.monotonic())
    status.look(view, alerts)
    notifier.look(alerts, view.plans)
    if (alerts.map(({ key }) => key).join(' ') !== before) for (const listener of listeners) listener()
  }
  const timer = { cancel: () => undefined as void }
  return {
    routes: [statusRoute(() => status.files()), notifiedRoute({ secret: secrets.path, page: () => notifier.page() })],
    source: {
      name: 'alerts',
      value: () => alerts.map(({ since, ...rest_ }) => ({ ...rest_, since: new Date(since).toISOString() })),
      onChange: (listener) => void listeners.push(listener),
    },
    start: () => {
      plans.start()
      timer.cancel = timers.every(lookMs, look).cancel
    },
    close: () => {
      timer.cancel()
      forget()
      plans.stop()
      rest.close()
      notifier.close()
      status.close()
    },
  }
}
