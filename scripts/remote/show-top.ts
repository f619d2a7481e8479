import { plain, table } from '#scripts/output.ts'
import { type CellLook, isLook, rateOf } from './cell-look.ts'
import type { HostLook } from './look.ts'
import { figure } from './show-status.ts'
import { percent } from './verdict.ts'

export const topOrders = ['cpu', 'memory', 'clients', 'messages', 'requests', 'name'] as const
export type TopOrder = (typeof topOrders)[number]

export interface TopRow {
  readonly host: string
  /** Share of all processors; null: not known yet. */
  readonly cpu: number | null
  readonly load: number | null
  /** Share that is taken. */
  readonly memory: number | null
  /** Bytes a second. */
  readonly received: number | null
  readonly sent: number | null
  readonly clients: number | null
  /** A second, in and out together. */
  readonly messages: number | null
  readonly requests: number | null
  /** Processors that each of our processes takes, most first. */
  readonly units: readonly {
    readonly name: string
    readonly cpus: number | null
    readonly rss: number | null
  }[]
  /** Why it was not looked at. */
  readonly failure: string | null
}

/** What hosts did between two looks, the busiest first; those that are away come first of all. */
export function topRows(cell: Pick<CellLook, 'hosts' | 'first' | 'last'>, order: TopOrder): TopRow[] {
  const rows = cell.hosts.map(({ name }) => rowOf(cell, name))
  if (order === 'name') return rows.toSorted((a, b) => a.host.localeCompare(b.host))
  const keyOf = (row: TopRow): number => (row.failure === null ? (row[order] ?? -1) : Number.MAX_VALUE)
  return rows.toSorted((a, b) => keyOf(b) - keyOf(a))
}

function rowOf(cell: Pick<CellLook, 'hosts' | 'first' | 'last'>, host: string): TopRow {
  const look = cell.last.get(host)
  const rate = (count: (one: HostLook) => number | null | undefined): number | null =>
    rateOf(cell, host, count)
  if (!isLook(look)) {
    const unknown = { cpu: null, load: null, memory: null, received: null, sent: null }
    const failure = look?.failure ?? 'it was not looked at'
    return { host, ...unknown, clients: null, messages: null, requests: null, units: [], failure }
  }
  const [busy, all] = [rate(({ cpu }) => cpu?.busy), rate(({ cpu }) => cpu?.all)]
  const [into, out] = [
    rate(({ metrics }) => metrics.get('cinque_mqtt_received_messages_total')),
    rate(({ metrics }) => metrics.get('cinque_mqtt_sent_messages_total')),
  ]
  return {
    host,
    cpu: busy === null || all === null || all === 0 ? null : busy / all,
    load: look.load,
    memory: look.memory === null ? null : 1 - look.memory.available / look.memory.total,
    received: rate(({ network }) => network?.received),
    sent: rate(({ network }) => network?.sent),
    clients: look.metrics.get('cinque_mqtt_connections') ?? null,
    messages: into === null && out === null ? null : (into ?? 0) + (out ?? 0),
    requests: rate(({ metrics }) => metrics.get('cinque_http_requests_total')),
    units: look.units
      .filter(({ rss }) => rss !== null)
      .map(({ name, rss }) => ({
        name,
        rss,
        cpus: rate(({ units }) => units.find((unit) => unit.name === name)?.cpuSeconds),
      }))
      .toSorted((a, b) => (b.cpus ?? 0) - (a.cpus ?? 0)),
    failure: null,
  }
}

/** A table that fits into so many lines and columns. */
export function topLines(
  rows: readonly TopRow[],
  { height, width }: { height: number; width: number },
): string[] {
  const head = ['HOST', 'CPU', 'LOAD', 'MEMORY', 'RX', 'TX', 'CLIENTS', 'MSG/S', 'REQ/S', 'BUSIEST']
  const room = Math.max(1, height - 2)
  const shown = rows.slice(0, room)
  const cells = shown.map((row) => [
    row.host,
    row.cpu === null ? '-' : percent(row.cpu),
    row.load === null ? '-' : row.load.toFixed(2),
    row.memory === null ? '-' : percent(row.memory),
    bytes(row.received),
    bytes(row.sent),
    figure(row.clients),
    figure(row.messages),
    figure(row.requests),
    row.failure ?? busiest(row),
  ])
  const hidden = rows.length - shown.length
  return [...table(head, cells), ...(hidden === 0 ? [] : [`and ${hidden} more`])].map((line) =>
    plain(line).slice(0, width),
  )
}

function busiest({ units }: TopRow): string {
  return units
    .slice(0, 3)
    .map(({ name, cpus, rss }) => {
      const memory = rss === null ? '' : ` ${Math.round(rss / 1_048_576)} MB`
      return `${name.replace(/^cinque-/, '')} ${cpus === null ? '-' : percent(cpus)}${memory}`
    })
    .join(', ')
}

/** A rate of bytes. */
function bytes(value: number | null): string {
  if (value === null) return '-'
  const steps = [
    [1_048_576, 'MB/s'],
    [1024, 'kB/s'],
  ] as const
  const step = steps.find(([size]) => value >= size)
  return step === undefined ? `${Math.round(value)} B/s` : `${(value / step[0]).toFixed(1)} ${step[1]}`
}
