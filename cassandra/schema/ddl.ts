import type { AnyTable } from '#platform/store/table.ts'
import { cqlTypes, quoted } from '../store/table-cql.ts'

const daySeconds = 86_400
/** Parts into which TWCS cuts the life of a table: each ends as whole files. */
const windows = 28
/** Rows that live longer are worth the better compression. */
const zstdDays = 30
/** Rows with a TTL have few deletions; they are remembered no longer than a DC may be away for hints to reach it. */
const ttlGraceSeconds = daySeconds

/** Options of a table, as `system_schema.tables` shows them. */
export function tableOptions(table: AnyTable): Record<string, string | number | Record<string, string>> {
  const ttl = Math.round((table.ttlDays ?? 0) * daySeconds)
  return {
    compaction: table.compaction === 'TWCS' ? timeWindows(table.ttlDays ?? windows) : unified,
    ...((table.ttlDays ?? 0) > zstdDays && table.compaction === 'TWCS' ? { compression: zstd } : {}),
    ...(ttl === 0 ? {} : { default_time_to_live: ttl, gc_grace_seconds: ttlGraceSeconds }),
    // A replica that hangs costs 50 ms, not the time-out.
    speculative_retry: 'MIN(99p,50ms)',
  }
}

const unified = { class: 'UnifiedCompactionStrategy', scaling_parameters: 'L4' }
const zstd = { class: 'ZstdCompressor', compression_level: '1', chunk_length_in_kb: '16' }

function timeWindows(ttlDays: number): Record<string, string> {
  const hours = Math.max(1, Math.round((ttlDays * 24) / windows))
  return {
    class: 'TimeWindowCompactionStrategy',
    compaction_window_unit: hours < 24 ? 'HOURS' : 'DAYS',
    compaction_window_size: String(hours < 24 ? hours : Math.round(hours / 24)),
  }
}

/** The CQL that makes a declared table; idempotent. */
export function createTable(table: AnyTable): string {
  const columns = { ...table.partition, ...table.clustering, ...table.columns }
  const lines = Object.entries(columns).map(([name, type]) => `  ${quoted(name)} ${cqlTypes[type]},`)
  const partition = Object.keys(table.partition).map(quoted).join(', ')
  const key = [`(${partition})`, ...Object.keys(table.clustering).map(quoted)].join(', ')
  const options = Object.entries(tableOptions(table)).map(([name, value]) => `${name} = ${literal(value)}`)
  return `CREATE TABLE IF NOT EXISTS ${table.name} (\n${lines.join('\n')}\n  PRIMARY KEY (${key})\n) WITH ${options.join('\n  AND ')}`
}

function literal(value: string | number | Record<string, string>): string {
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string') return `'${value}'`
  const entries = Object.entries(value).map(([name, one]) => `'${name}': '${one}'`)
  return `{${entries.join(', ')}}`
}
