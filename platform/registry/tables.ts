import { table } from '../store/table.ts'

/** An organisation; the id is its name in every key of every table, so it never changes and is never given again. */
export const organisation = table({
  name: 'organisation',
  partition: { id: 'text' },
  clustering: {},
  columns: {
    name: 'text',
    /** IoT Guru's user short id. */
    user: 'text',
    /** JSON list of rules for its devices; absent: the default ones. */
    acl: 'text',
    token_hash: 'blob',
    created_at: 'long',
    /** Deleted; the row stays so that nobody inherits the data by taking the id. */
    deleted_at: 'long',
    version: 'long',
    /** `geo`; absent: `local`. */
    durability: 'text',
  },
  compaction: 'UCS',
})

/** Which organisation an IoT Guru user short id is. */
export const organisationByUser = table({
  name: 'organisation_by_user',
  partition: { user: 'text' },
  clustering: {},
  columns: { org: 'text' },
  compaction: 'UCS',
})

export const device = table({
  name: 'device',
  partition: { org: 'text', id: 'text' },
  clustering: {},
  columns: { name: 'text', key_hash: 'blob', created_at: 'long', version: 'long' },
  compaction: 'UCS',
})

/** Buckets of `device_by_name` per organisation; never change it, the rows would not be found. */
export const nameBuckets = 16

/** Names in order, for lists, and each at most once. Buckets (by the name's hash) keep partitions small. */
export const deviceByName = table({
  name: 'device_by_name',
  partition: { org: 'text', bucket: 'int' },
  clustering: { name: 'text' },
  columns: { id: 'text', claimed_at: 'long' },
  compaction: 'UCS',
})

/** A part of a device with a key of its own that may only store values (IoT Guru's node). */
export const node = table({
  name: 'node',
  partition: { org: 'text', device: 'text' },
  clustering: { node: 'text' },
  columns: { name: 'text', key_hash: 'blob', created_at: 'long' },
  compaction: 'UCS',
})

/**
 * Whose a key is, found by its SHA-256. Only a hint: a key is good while the row of its owner has the same hash, so
 * that of two rotations at a time one wins.
 */
export const credential = table({
  name: 'credential',
  partition: { hash: 'blob' },
  clustering: {},
  columns: { kind: 'text', org: 'text', device: 'text', node: 'text', created_at: 'long' },
  compaction: 'UCS',
})

/** The last sign of life by HTTP (IoT Guru's firmware check). */
export const checkIn = table({
  name: 'check_in',
  partition: { org: 'text', device: 'text' },
  clustering: {},
  /** What the device says it runs; absent: it did not say. */
  columns: { at: 'long', version: 'text' },
  stamp: 'at',
  compaction: 'UCS',
})
