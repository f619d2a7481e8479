import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import type { Fleet } from '#scripts/fleet/fleet.ts'
import { rest, restartBySchedule } from './schedule.ts'
import { again, said, type Step, until } from './step.ts'

const exporter = 9100
/** Of a backup or a drill, ms. */
const taskMs = 600_000
const rollMs = 600_000

/**
 * What a cell has besides brokers, API and rows, on hosts of size `whole`: by their names on the command line, in the order
 * in which they are done. A roll wants a backup first.
 */
export const profiles: Readonly<Record<string, Step>> = {
  async units({ fleet }) {
    const { hosts } = fleet.inventory
    let wrong: string[] = []
    // Figures of a Cassandra that is just starting are there a minute later.
    await until(
      async () =>
        (wrong = (await Promise.all(hosts.map((host) => unitProblems(fleet, host)))).flat()).length === 0,
      () => wrong.join('; '),
    )
    const units = hosts.flatMap(unitsOf).length
    return { what: `${units} units on ${hosts.length} hosts are active, none has failed`, good: true }
  },

  again,

  async hardening({ fleet }) {
    const seen: { unit: string; exposure: number }[] = []
    for (const host of fleet.inventory.hosts) {
      const list =
        "systemctl list-unit-files --plain --no-legend 'cinque-*.service' cassandra.service | cut -d' ' -f1"
      const printed = await said(
        fleet,
        host,
        `for unit in $(${list}); do systemd-analyze security --no-pager $unit | tail -1; done`,
      )
      for (const [, unit, exposure] of printed.matchAll(/exposure level for (\S+): ([\d.]+)/g)) {
        seen.push({ unit, exposure: Number(exposure) })
      }
    }
    const worst = seen.toSorted((a, b) => b.exposure - a.exposure)[0]
    return {
      what: `systemd-analyze security of ${new Set(seen.map(({ unit }) => unit)).size} units: ${worst.exposure} at most (${worst.unit}; bar: below 2)`,
      good: worst.exposure < 2,
    }
  },

  async votes({ fleet, far }) {
    const checkers = withRole(fleet.inventory, 'checker')
    let missing = ''
    await until(
      async () => {
        const all = await Promise.all(checkers.map((checker) => problemsOf(fleet, far, checker)))
        missing = all.flat().join('; ')
        return missing === ''
      },
      () => missing,
    )
    return { what: `${checkers.length} checkers vote, and find every DC and host up and serving`, good: true }
  },

  async dns({ fleet }) {
    const { inventory } = fleet
    const [first, second] = withRole(inventory, 'app')
    const servers = withRole(inventory, 'checker')
    const ask = async (): Promise<string[]> =>
      Promise.all(servers.map((server) => addressesOf(fleet, second, server)))
    const all = (address: string) => async (): Promise<boolean> =>
      (answers = await ask()).every((answer) => answer === address)
    let answers: string[] = []
    const why = (): string => servers.map(({ name }, at) => `${name} answers ${answers[at]}`).join(', ')
    await until(all(first.address), why)
    const units = 'cinque-broker1 cinque-api'
    await said(fleet, first, `systemctl stop ${units}`)
    const away = performance.now()
    await until(all(second.address), why)
    const out = (performance.now() - away) / 1000
    await said(fleet, first, `systemctl start ${units}`)
    const back = performance.now()
    await fleet.serves([first])
    await until(all(first.address), why)
    const returned = (performance.now() - back) / 1000
    return {
      what: `${servers.map(({ name }) => name).join(' and ')} answer for the zone: ${first.dc}; ${second.dc} ${out.toFixed(0)} s after that serves no more; ${first.dc} again ${returned.toFixed(0)} s after it is started`,
      good: true,
    }
  },

  async prometheus({ fleet }) {
    const host = await hostOf(fleet, 'prometheus.service')
    const ask = async <T>(path: string): Promise<T> =>
      (
        JSON.parse(
          await said(fleet, host, `curl -sS --max-time 10 http://127.0.0.1:9090/api/v1/${path}`),
        ) as { data: T }
      ).data
    let targets: Target[] = []
    const down = (): Target[] => targets.filter(({ health }) => health !== 'up')
    await until(
      async () => {
        targets = (await ask<{ activeTargets: Target[] }>('targets')).activeTargets
        return targets.length > 0 && down().length === 0
      },
      () =>
        down()
          .map(({ scrapeUrl, lastError }) => `${scrapeUrl}: ${lastError}`)
          .join('; '),
    )
    let rules: Rule[] = []
    await until(
      async () => {
        rules = (await ask<{ groups: { rules: Rule[] }[] }>('rules')).groups.flatMap((group) => group.rules)
        return rules.every(({ health }) => health !== 'unknown')
      },
      () => 'rules are not evaluated',
    )
    const broken = rules
      .filter(({ health }) => health !== 'ok')
      .map(({ name, lastError }) => `${name}: ${lastError}`)
    await said(fleet, host, 'promtool check config /etc/prometheus/prometheus.yml')
    const firing = rules.filter(({ state }) => state === 'firing').map(({ name }) => name)
    return {
      what:
        broken.join('; ') ||
        `${targets.length} targets are up, ${rules.length} rules are evaluated; firing: ${firing.join(', ') || 'none'}`,
      good: broken.length === 0 && rules.length > 0,
    }
  },

  async backup({ fleet }) {
    const host = await hostOf(fleet, 'cinque-backup.timer')
    for (const { name } of withRole(fleet.inventory, 'db')) {
      await said(fleet, fleet.host(name), 'systemctl start cinque-snapshot cinque-figures', taskMs)
    }
    await said(fleet, host, 'systemctl start cinque-backup', taskMs)
    const list = JSON.parse(
      await said(fleet, host, 'cinque backup list --config /etc/cinque/backup.yaml --json'),
    ) as {
      ageSeconds: number | null
      backups: object[]
    }
    const figures = await figuresOf(fleet, host)
    const names = [
      'cinque_backup_taken_timestamp_seconds',
      'cinque_snapshot_taken_timestamp_seconds',
      'cinque_snapshot_count',
    ]
    const missing = names.filter((name) => !(Number(figures.get(name)) > 0))
    const tables = Array.from(figures.keys()).filter((name) => name.startsWith('cinque_cassandra_')).length
    return {
      what: `${list.backups.length} backups, the newest ${list.ageSeconds} s old, ${figures.get('cinque_backup_bytes')} bytes; ${figures.get('cinque_snapshot_count')} hard-linked copies; node_exporter shows ${missing.length === 0 ? 'all of it' : `no ${missing.join(', ')}`}, and ${tables} kinds of figures of Cassandra`,
      good: missing.length === 0 && list.backups.length > 0 && tables > 0,
    }
  },

  async drill({ fleet }) {
    const host = await hostOf(fleet, 'cinque-drill.timer')
    await said(fleet, host, 'systemctl start cinque-drill', taskMs)
    const figures = await figuresOf(fleet, host)
    const of = (name: string): string => figures.get(`cinque_restore_drill_${name}`) ?? 'unknown'
    return {
      what: `restored in ${Number(of('seconds')).toFixed(0)} s: tables equal ${of('tables_equal')}, different ${of('tables_different')}, unchecked ${of('tables_unchecked')}`,
      good: of('ok') === '1',
    }
  },

  schedule: ({ fleet, db, far }) => restartBySchedule(fleet, far, [db]),

  // Those that the operators run on as well: of these each is finished by the other one.
  everything: ({ fleet, far }) => restartBySchedule(fleet, far, fleet.inventory.hosts),

  async upgrade({ fleet, db, far }) {
    const version = await said(fleet, db, 'basename "$(readlink /opt/cinque/current)"')
    const { id } = await rest<{ id: string }>(fleet, far, 'POST', 'rolls', {
      kind: 'upgrade',
      version,
      reason: 'bench/fleet',
      hosts: [{ host: db.name, dc: db.dc }],
    })
    let roll: (Outcome & { ended_at: string | null }) | undefined
    await until(
      async () => {
        roll = await rest<NonNullable<typeof roll>>(fleet, far, 'GET', `rolls/${id}`)
        return roll.ended_at !== null
      },
      () => `no operator ends the roll: ${roll?.state} ${roll?.note}`,
      rollMs,
    )
    return {
      what: `an upgrade planned over the API is carried out by an operator, with Puppet from its own release: ${roll?.state}${roll?.note == null ? '' : `, ${roll.note}`}`,
      good: roll?.state === 'done',
    }
  },
}

interface Target {
  readonly scrapeUrl: string
  readonly health: string
  readonly lastError: string
}

interface Rule {
  readonly name: string
  readonly health: string
  readonly lastError?: string
  readonly state?: string
}

interface Outcome {
  readonly state: string
  readonly note: string | null
}

/** What runs on a host of this size, as its roles have it. */
function unitsOf({ name, roles, brokers, dc }: Host): string[] {
  const of = {
    db: ['cassandra.service', 'cinque-snapshot.timer', 'cinque-figures.timer'],
    app: [
      'cinque-nats.service',
      'cinque-api.service',
      ...Array.from({ length: brokers }, (_, at) => `cinque-broker${at + 1}.service`),
    ],
    checker: ['cinque-healthcheck.service', 'cinque-operator.service'],
  }
  return [
    'ssh.service',
    'nftables.service',
    'prometheus-node-exporter.service',
    ...roles.flatMap((role) => of[role]),
    ...(name === 'dc01-check1' ? ['prometheus.service'] : []),
    ...(name === 'dcb1-check1' ? ['gdnsd.service'] : []),
    ...(dc === 'dcb1' && roles.includes('db') ? ['cinque-backup.timer', 'cinque-drill.timer'] : []),
  ]
}

async function unitProblems(fleet: Fleet, host: Host): Promise<string[]> {
  const units = unitsOf(host)
  const failed = await said(fleet, host, "systemctl list-units --failed --plain --no-legend | cut -d' ' -f1")
  const states = (await said(fleet, host, `systemctl is-active ${units.join(' ')} || true`)).split('\n')
  return [
    ...failed.split('\n').flatMap((unit) => (unit === '' ? [] : [`${host.name}: ${unit} has failed`])),
    ...units.flatMap((unit, at) =>
      states[at] === 'active' ? [] : [`${host.name}: ${unit} is ${states[at]}`],
    ),
  ]
}

function withRole({ hosts }: Inventory, role: Host['roles'][number]): Host[] {
  return hosts.filter(({ roles }) => roles.includes(role))
}

/** The one that has a unit. */
async function hostOf(fleet: Fleet, unit: string): Promise<Host> {
  const found = fleet.inventory.hosts.find((host) => unitsOf(host).includes(unit))
  if (found === undefined) throw new Error(`no host has ${unit}: these steps are for size whole`)
  return found
}

/** What a checker finds wrong, or why it does not vote. */
async function problemsOf(fleet: Fleet, from: Host, { name, address }: Host): Promise<string[]> {
  const port = fleet.inventory.ports.checker
  const printed = await said(fleet, from, `curl -sS --max-time 5 http://${address}:${port}/v1/health || true`)
  if (printed === '') return [`${name} does not answer`]
  const { standings } = JSON.parse(printed) as {
    standings: {
      abstains: string | null
      subjects: { subject: string; state: string; serving: boolean; reason: string }[]
    }
  }
  if (standings.abstains !== null) return [`${name} abstains: ${standings.abstains}`]
  if (standings.subjects.length === 0) return [`${name} knows nobody`]
  return standings.subjects
    .filter(({ state, serving }) => state !== 'up' || !serving)
    .map(({ subject, state, reason }) => `${name}: ${subject} is ${state}: ${reason}`)
}

/** What a name server answers for the first name of the service, to a host. */
async function addressesOf(fleet: Fleet, from: Host, server: Host): Promise<string> {
  const { dns } = fleet.inventory
  if (dns === undefined) throw new Error('the inventory has no zone')
  const script = `const resolver = new (require('node:dns').promises.Resolver)({ timeout: 2000, tries: 2 });
resolver.setServers(['${server.address}']);
resolver.resolve4('${dns.names[0]}.${dns.zone}').then((all) => console.log(all.sort().join(',')), (error) => console.log(error.code))`
  return said(fleet, from, `/opt/cinque/current/bin/node -e "${script}"`)
}

/** What node_exporter shows of a host without labels, and with labels the last of each name. */
async function figuresOf(fleet: Fleet, host: Host): Promise<ReadonlyMap<string, string>> {
  const page = await said(fleet, host, `curl -sS --max-time 10 http://${host.address}:${exporter}/metrics`)
  return new Map(Array.from(page.matchAll(/^(\w+)(?:\{.*\})? (\S+)$/gm), ([, name, value]) => [name, value]))
}
