import { type Dc, type Host, outside } from '#platform/inventory/inventory.ts'
import { plain, table } from '#scripts/output.ts'
import { type CellLook, isLook, rateOf } from './cell-look.ts'
import type { HostLook } from './look.ts'
import { canonical } from './ring.ts'
import { mostSay, percent, ringBy, type Verdict } from './verdict.ts'

const head = [
  'HOST',
  'ROLES',
  'UNITS',
  'CASSANDRA',
  'GATEWAYS',
  'CLIENTS',
  'IN/S',
  'OUT/S',
  'REQ/S',
  'LOAD',
  'MEMORY',
  'DISK',
  'RELEASE',
]

/** A table for each DC, then what is wrong. */
export function statusLines(cell: CellLook, { problems, notes }: Verdict): string[] {
  const { inventory, hosts } = cell
  const rows = new Map(hosts.map((host) => [host, rowOf(cell, host)]))
  const widths = head.map((title, i) =>
    Math.max(title.length, ...Array.from(rows.values(), (row) => row[i].length)),
  )
  const groups = [
    ...inventory.dcs.map((dc) => [dc.name, dcLine(cell, dc)] as const),
    [outside, 'outside of all DCs'] as const,
  ]
  const tables = groups.flatMap(([dc, title]) => {
    const own = hosts.filter((host) => host.dc === dc).map((host) => rows.get(host) ?? [])
    return own.length === 0 ? [] : [title, ...table(head, own, widths).map((line) => `  ${line}`), '']
  })
  return [...tables, ...notes, ...problems].map((line) => plain(line))
}

function dcLine({ standings }: CellLook, { name, place, kind }: Dc): string {
  const said = mostSay(standings ?? [], name)
  if (said === undefined) return `${name} ${place} (${kind})`
  const dns = said.serving ? `in DNS with ${said.percent} %` : 'out of DNS'
  return `${name} ${place} (${kind}): ${said.state}, ${dns}`
}

function rowOf(cell: CellLook, host: Host): string[] {
  const look = cell.last.get(host.name)
  const roles = host.roles.join(',')
  if (!isLook(look)) return [host.name, roles, 'away', ...head.slice(3).map(() => '-')]
  const rate = (count: (one: HostLook) => number | undefined): string =>
    figure(rateOf(cell, host.name, count))
  const active = look.units.filter(({ state }) => state === 'active').length
  const app = host.roles.includes('app')
  const free = look.memory === null ? null : look.memory.available / look.memory.total
  const fullest = Math.min(...look.disks.map(({ available, size }) => available / size))
  return [
    host.name,
    roles,
    `${active}/${look.units.length}`,
    ringCell(cell, host),
    app ? String(look.gateways?.length ?? 'away') : '-',
    app ? figure(look.metrics.get('cinque_mqtt_connections') ?? null) : '-',
    app ? rate(({ metrics }) => metrics.get('cinque_mqtt_received_messages_total')) : '-',
    app ? rate(({ metrics }) => metrics.get('cinque_mqtt_sent_messages_total')) : '-',
    app ? rate(({ metrics }) => metrics.get('cinque_http_requests_total')) : '-',
    look.load === null ? '-' : look.load.toFixed(2),
    free === null ? '-' : percent(1 - free),
    Number.isFinite(fullest) ? percent(1 - fullest) : '-',
    look.release ?? '-',
  ]
}

/** As nodetool says it, of the worst that anybody sees. */
function ringCell(cell: CellLook, { address, roles }: Host): string {
  if (!roles.includes('db')) return '-'
  const seen = Array.from(ringBy(cell).values(), (ring) =>
    ring.find((entry) => entry.address === canonical(address)),
  )
  if (seen.length === 0) return '?'
  const worst =
    seen.find((entry) => entry?.up !== true) ?? seen.find((entry) => entry?.state !== 'normal') ?? seen[0]
  if (worst === undefined) return 'no member'
  return `${worst.up ? 'U' : 'D'}${worst.state.charAt(0).toUpperCase()} ${worst.load}`
}

/** A count or rate that fits into a column. */
export function figure(value: number | null): string {
  if (value === null) return '-'
  return value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1)
}
