import { table } from '../store/table.ts'

/** Days that a measured value is kept after it was written. */
const telemetryDays = 90

/** Exactly one of the columns is there: which one says the type. */
const value = { number: 'double', text: 'text', flag: 'boolean', json: 'text' } as const

/** Every value of a device. `n` tells apart what came in the same millisecond without a time of its own. */
export const telemetry = table({
  name: 'telemetry',
  /** `day`: days since 1970 of `ts`. */
  partition: { org: 'text', device: 'text', day: 'int' },
  clustering: { key: 'text', ts: 'long', n: 'int' },
  columns: value,
  ttlDays: telemetryDays,
  compaction: 'TWCS',
})

/** On which days a device has values, so that a long range need not ask for days without any. */
export const telemetryDay = table({
  name: 'telemetry_day',
  partition: { org: 'text', device: 'text' },
  clustering: { day: 'int' },
  columns: {},
  /** Written again on each day that writes to `day`, so it never goes before the last value. */
  ttlDays: telemetryDays + 1,
  compaction: 'UCS',
})

/** The newest value (by its time) of each key of a device; also the list of its keys. */
export const latest = table({
  name: 'latest',
  partition: { org: 'text', device: 'text' },
  clustering: { key: 'text' },
  columns: { ...value, ts: 'long' },
  stamp: 'ts',
  compaction: 'UCS',
})
