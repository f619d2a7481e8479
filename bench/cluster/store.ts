import path from 'node:path'
import cassandra from 'cassandra-driver'
import { pino } from 'pino'
import { ensureCassandra } from '#cassandra/local/engine.ts'
import { type CassandraNode, startNode } from '#cassandra/local/node.ts'
import { migrate } from '#cassandra/migrate.ts'
import { connect } from '#cassandra/store/connection.ts'
import { openCassandraStore } from '#cassandra/store/store.ts'
import { TableCql } from '#cassandra/store/table-cql.ts'
import { GroupCommit } from '#platform/store/group-commit.ts'
import type { Batch, Store } from '#platform/store/store.ts'
import type { AnyTable } from '#platform/store/table.ts'
import { inbox } from '#platform/store/tables.ts'
import { latest, telemetry } from '#platform/telemetry/tables.ts'
import { onEarlyExit } from '../clean-up.ts'
import { median } from '../statistics.ts'
import { cpuMs } from './cpu.ts'
import { atLeast, type Bench, type ClusterScenario, type Line } from './scenario.ts'

const ip = '127.76.0.9'
const keyspace = 'cinque'
const localDc = 'dc01'
/** As in the comparison in docs: what the driver does best by itself. */
const rawBatch = 50
const rawInFlight = 16
const warmMs = 3_000

type Row = Record<string, unknown>

/** What is written, by us a message at a time, by the driver a partition at a time. */
interface Load {
  readonly name: string
  readonly about: string
  readonly table: AnyTable
  /** Devices or sessions; each has one message on its way, and the next when that is acknowledged. */
  readonly sources: number
  readonly bar: number | null
  /** Stages the n-th message of a source; returns its rows in `table`. */
  stage(batch: Batch, source: number, n: number): number
  /** A row for the driver. */
  row(source: number, n: number): Row
}

const started = Date.now()
const org = 'bench'
const valuesPerMessage = 10
const day = Math.floor(started / 86_400_000)
const writer = Buffer.alloc(16, 7)
const message = Buffer.alloc(150, 1)
const logs = Array.from({ length: 2_000 }, (_, n) => Buffer.from(String(n).padStart(16, '0')))

/** Values of one device, ever later; `n` counts values. */
function value(
  source: number,
  n: number,
): { org: string; device: string; day: number; key: string; ts: number; n: number; number: number } {
  const ts = started + Math.floor(n / valuesPerMessage)
  return { org, device: `device-${source}`, day, key: `key-${n % valuesPerMessage}`, ts, n: 0, number: n / 7 }
}

const loads: readonly Load[] = [
  {
    name: 'telemetry',
    about: `500 devices, ${valuesPerMessage} values a message, one message on its way each`,
    table: telemetry,
    sources: 500,
    bar: 0.5,
    stage: (batch, source, n) => {
      for (let at = 0; at < valuesPerMessage; at++)
        batch.put(telemetry, value(source, n * valuesPerMessage + at))
      return valuesPerMessage
    },
    row: value,
  },
  {
    name: 'telemetry, newest values too',
    about: 'the same as the broker writes it: each value also into the table of newest values',
    table: telemetry,
    sources: 500,
    bar: null,
    stage: (batch, source, n) => {
      for (let at = 0; at < valuesPerMessage; at++) {
        const row = value(source, n * valuesPerMessage + at)
        batch.put(telemetry, row)
        batch.put(latest, { org, device: row.device, key: row.key, ts: row.ts, number: row.number })
      }
      return valuesPerMessage
    },
    row: value,
  },
  {
    name: 'persistent sessions',
    about: '2000 sessions, 150 bytes a message, five on their way to each',
    table: inbox,
    sources: 10_000,
    bar: 0.4,
    stage: (batch, source, n) => {
      batch.put(inbox, appended(source, n))
      return 1
    },
    row: appended,
  },
]

function appended(
  source: number,
  n: number,
): { org: string; log: Buffer; day: number; writer: Buffer; seq: number; message: Buffer; hlc: number } {
  const seq = n * 5 + (source % 5)
  return {
    org,
    log: logs[Math.floor(source / 5) % logs.length],
    day,
    writer,
    seq,
    message,
    hlc: started * 1024 + seq,
  }
}

/** Rows a second into one real node, through group commit and store, beside what the driver does by itself. */
export const store: ClusterScenario = {
  name: 'store',
  about: 'durable rows into one Cassandra node, by us and by the bare driver',
  async run(bench) {
    const log = pino({ level: 'warn' })
    const engine = await ensureCassandra({ log })
    const directory = path.join(bench.directory, 'cassandra')
    const node = await startNode({ engine, directory, ip, dc: localDc, heapMb: 1024, full: true })
    const early = onEarlyExit(() => process.kill(node.pid, 'SIGKILL'))
    try {
      await node.cqlReady
      const at = { contactPoints: [ip], localDc, keyspace, log }
      await migrate({ ...at, replication: { [localDc]: 1 } })
      const client = await connect(at)
      const opened = await openCassandraStore({ ...at, tables: [telemetry, latest, inbox] })
      const lines: Line[] = []
      for (const load of loads) lines.push(...(await compare(load, bench, node, client, opened)))
      await opened.close()
      await client.shutdown()
      return lines
    } finally {
      early.cancel()
      await node.kill()
    }
  },
}

interface Rate {
  readonly rows: number
  /** Microseconds of CPU a row. */
  readonly ours: number
  readonly cassandra: number
}

async function compare(
  load: Load,
  bench: Bench,
  node: CassandraNode,
  client: cassandra.Client,
  target: Store,
): Promise<Line[]> {
  const raw: Rate[] = []
  const through: Rate[] = []
  let turn = 0
  const sides = [
    { rates: raw, run: (ms: number) => runRaw(load, client, ms, ++turn) },
    { rates: through, run: (ms: number) => runStore(load, target, ms, ++turn) },
  ]
  for (const { run } of sides) await run(warmMs)
  for (let round = 0; round < bench.rounds; round++) {
    for (const { rates, run } of sides) {
      const cpu = process.cpuUsage()
      const cassandraMs = cpuMs([node.pid])
      const begun = performance.now()
      const rows = await run(bench.seconds * 1000)
      const seconds = (performance.now() - begun) / 1000
      const used = process.cpuUsage(cpu)
      rates.push({
        rows: rows / seconds,
        ours: (used.user + used.system) / rows,
        cassandra: ((cpuMs([node.pid]) - cassandraMs) * 1000) / rows,
      })
    }
    bench.say(
      `${load.name}, round ${round + 1}: ${shown(raw[round])} by the driver, ${shown(through[round])} by us`,
    )
  }
  const ratio = median(through.map(({ rows }, round) => rows / raw[round].rows))
  const of = (rates: Rate[]): string =>
    `${thousands(median(rates.map(({ rows }) => rows)))} rows/s, CPU a row ${median(rates.map(({ ours }) => ours)).toFixed(1)} + ${median(rates.map(({ cassandra: one }) => one)).toFixed(1)} us`
  return [
    { what: `${load.name} (${load.about}): driver, batches of ${rawBatch}`, value: of(raw) },
    { what: `${load.name}: group commit and store`, value: of(through) },
    {
      what: `${load.name}: of the driver's`,
      value: `${(ratio * 100).toFixed(0)} %`,
      ...(load.bar === null ? {} : { bar: atLeast(Number(ratio.toFixed(2)), load.bar) }),
    },
  ]
}

/** Full batches of one partition each, a bounded number of them under way. */
async function runRaw(load: Load, client: cassandra.Client, ms: number, turn: number): Promise<number> {
  const cql = new TableCql(load.table, keyspace)
  const counts = new Float64Array(load.sources).fill(turn * 1e6)
  const until = performance.now() + ms
  let rows = 0
  let source = 0
  const sender = async (): Promise<void> => {
    while (performance.now() < until) {
      const from = source++ % load.sources
      const statements = Array.from({ length: rawBatch }, () => {
        const row = load.row(from, counts[from]++)
        const params = cql.bindKey(row)
        cql.bindColumns(params, row)
        params.push(started * 1000 + rows)
        return { query: cql.insert, params }
      })
      await client.batch(statements, { prepare: true, logged: false })
      rows += rawBatch
    }
  }
  await Promise.all(Array.from({ length: rawInFlight }, sender))
  return rows
}

/** Each source sends its next message when its last one is durable. */
async function runStore(load: Load, target: Store, ms: number, turn: number): Promise<number> {
  const commit = new GroupCommit(target, pino({ level: 'warn' }))
  const until = performance.now() + ms
  const counts = new Float64Array(load.sources).fill(turn * 1e6)
  let waiting: { source: number; ticket: number }[] = []
  let rows = 0
  const send = (source: number): void => {
    rows += load.stage(commit.stage(), source, counts[source]++)
    waiting.push({ source, ticket: commit.ticket })
  }
  commit.onDurable((durable) => {
    const landed = waiting
    waiting = []
    for (const one of landed) {
      if (one.ticket > durable) waiting.push(one)
      else if (performance.now() < until) send(one.source)
    }
  })
  for (let source = 0; source < load.sources; source++) send(source)
  while (performance.now() < until) await new Promise((wake) => setTimeout(wake, 20))
  await commit.durable()
  await commit.close()
  return rows
}

function shown({ rows }: Rate): string {
  return `${thousands(rows)} rows/s`
}

function thousands(count: number): string {
  return `${(count / 1000).toFixed(1)} k`
}
