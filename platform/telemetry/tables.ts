import { table } from '../store/table.ts'

/** Exactly one of the columns is there: which one says the type. */
const value = { number: 'double', text: 'text', flag: 'boolean', json: 'text' } as const

const raw = {
  /** `day`: days since 1970 of `ts`. */
  partition: { org: 'text', device: 'text', day: 'int' },
  clustering: { key: 'text', ts: 'long', n: 'int' },
  columns: value,
  compaction: 'TWCS',
} as const

const days = {
  partition: { org: 'text', device: 'text' },
  clustering: { day: 'int' },
  columns: {},
  compaction: 'UCS',
} as const

/**
 * Every value of a device. `n` tells apart what came in the same millisecond without a time of its own. One table for
 * each class of retention, so that all rows of a table live equally long and its files end as a whole.
 */
export const telemetry = table({ name: 'telemetry', ...raw, ttlDays: 90 })
export const telemetry7d = table({ name: 'telemetry_7d', ...raw, ttlDays: 7 })
export const telemetry400d = table({ name: 'telemetry_400d', ...raw, ttlDays: 400 })
export const telemetry5y = table({ name: 'telemetry_5y', ...raw, ttlDays: 1830 })

/**
 * On which days a device has values, so that a long range need not ask for days without any. Written again on each day
 * that writes to `day`, so it never goes before the last value.
 */
export const telemetryDay = table({ name: 'telemetry_day', ...days, ttlDays: 91 })
export const telemetryDay7d = table({ name: 'telemetry_day_7d', ...days, ttlDays: 8 })
export const telemetryDay400d = table({ name: 'telemetry_day_400d', ...days, ttlDays: 401 })
export const telemetryDay5y = table({ name: 'telemetry_day_5y', ...days, ttlDays: 1831 })

/** The newest value (by its time) of each key of a device; also the list of its keys. */
export const latest = table({
  name: 'latest',
  partition: { org: 'text', device: 'text' },
  clustering: { key: 'text' },
  columns: { ...value, ts: 'long' },
  stamp: 'ts',
  compaction: 'UCS',
})

/** Days that aggregates of a minute, and those of 15 minutes, are kept. */
export const minuteDays = 400
export const quarterDays = 1830

/** Aggregates of up to 60 minutes of one hour, packed. */
export const rollupMinute = table({
  name: 'rollup_minute',
  partition: { org: 'text', device: 'text', day: 'int' },
  /** `hour`: of the day, UTC. */
  clustering: { key: 'text', hour: 'int' },
  columns: { body: 'blob' },
  ttlDays: minuteDays,
  compaction: 'TWCS',
})

/** Aggregates of up to 96 quarters of an hour of one day, packed; a year is 365 rows. */
export const rollupQuarter = table({
  name: 'rollup_quarter',
  /** `month`: months since 1970 of `day`; keeps partitions small. */
  partition: { org: 'text', device: 'text', month: 'int' },
  clustering: { key: 'text', day: 'int' },
  columns: { body: 'blob' },
  ttlDays: quarterDays,
  compaction: 'UCS',
})

/** Which hours of a day are in the aggregates, and which marks those have seen (JSON, see rollups/state.ts). */
export const rollupState = table({
  name: 'rollup_state',
  partition: { org: 'text', device: 'text' },
  clustering: { day: 'int' },
  columns: { body: 'text' },
  ttlDays: quarterDays,
  compaction: 'UCS',
})

/** Days for which processes and DCs remember what the aggregates must not miss. */
const markDays = 30

/**
 * A process may write values of this hour until then: aggregates that were made before do not have them all. Written
 * with the first of these values, in one batch.
 */
export const rollupMark = table({
  name: 'rollup_mark',
  partition: { org: 'text', device: 'text' },
  /** Hours and minutes since 1970; which run of a process. */
  clustering: { hour: 'int', until: 'int', writer: 'int' },
  columns: {},
  ttlDays: markDays,
  compaction: 'UCS',
})

/** Days of devices whose aggregates are to be made; for other processes if the one that took the values dies. */
export const rollupJob = table({
  name: 'rollup_job',
  /** `slot`: the hour since 1970 from which on it is due. */
  partition: { slot: 'int', shard: 'int' },
  clustering: { org: 'text', device: 'text', day: 'int', writer: 'int' },
  columns: {},
  ttlDays: markDays,
  compaction: 'UCS',
})

/** What an organisation says of how long its values are kept (JSON, see retention.ts). */
export const retention = table({
  name: 'retention',
  partition: { org: 'text' },
  clustering: {},
  columns: { rules: 'text', version: 'long' },
  compaction: 'UCS',
})
