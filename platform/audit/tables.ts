import { table } from '../store/table.ts'

/** Days that entries are kept. */
const keptDays = 400

/** Parts of an organisation's day; each process writes to one of them. Never change it, the rows would not be found. */
export const auditBuckets = 8

/** A change that somebody made or was refused. First written before the change, then again with what came of it. */
export const audit = table({
  name: 'audit',
  partition: { org: 'text', day: 'int', bucket: 'int' },
  clustering: { at: 'long', id: 'text' },
  columns: {
    /** `begun`, `done`, `denied`, `failed`. */
    outcome: 'text',
    actor_kind: 'text',
    actor_id: 'text',
    actor_name: 'text',
    address: 'text',
    operation: 'text',
    /** JSON lists and objects from here. */
    targets: 'text',
    before: 'text',
    after: 'text',
    /** Code of the problem, where it was not done. */
    problem: 'text',
    request: 'text',
    dc: 'text',
    process: 'text',
  },
  ttlDays: keptDays,
  compaction: 'TWCS',
})

/** Which days and buckets have entries. */
export const auditDay = table({
  name: 'audit_day',
  partition: { org: 'text' },
  clustering: { day: 'int', bucket: 'int' },
  columns: {},
  ttlDays: keptDays + 1,
  compaction: 'UCS',
})
