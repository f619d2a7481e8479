import { table } from '../store/table.ts'

/** Days for which it is kept when devices came and went. */
export const historyDays = 90

/** Columns that say how a client is connected, or was. */
const connection = {
  client_id: 'text',
  reason: 'text',
  process: 'text',
  dc: 'text',
  address: 'text',
  /** Of MQTT: 4 is 3.1.1. */
  version: 'int',
  /** Seconds. */
  keep_alive: 'int',
  clean_start: 'boolean',
  session_expiry: 'long',
} as const

/** Parts of an organisation's devices, by the hash of their id; never change it, the rows would not be found. */
export const presenceBuckets = 64

/**
 * The newest connection of each client of a device, and (in a slot of its own) when the device sent data last. Written
 * by the process that has the connection, or in its place when it is gone; the newest stamp wins.
 */
export const presence = table({
  name: 'presence',
  partition: { org: 'text', bucket: 'int' },
  /** `slot`: hash of the client id. */
  clustering: { device: 'text', slot: 'blob' },
  columns: {
    ...connection,
    epoch: 'long',
    connected: 'boolean',
    /** Milliseconds since 1970 of the last change; of the device's own slot: of the last data. */
    at: 'long',
    /** Incarnation of the process that has the connection, or had it. */
    holder: 'blob',
    stamp: 'long',
  },
  stamp: 'stamp',
  compaction: 'UCS',
})

/** When clients of devices came and went. Rows are only added. */
export const presenceEvent = table({
  name: 'presence_event',
  /** `month`: 30 days each since 1970. */
  partition: { org: 'text', device: 'text', month: 'int' },
  /** Milliseconds since 1970, hash of the client id, stamp of the connection, and what happened to it. */
  clustering: { at: 'long', slot: 'blob', epoch: 'long', change: 'int' },
  columns: {
    ...connection,
    /** Changes that this one stands for: a client that comes and goes all the time is not written down each time. */
    changes: 'int',
  },
  ttlDays: historyDays,
  compaction: 'TWCS',
})

/** When a process that has connections of devices was last alive. */
export const presenceHolder = table({
  name: 'presence_holder',
  partition: { holder: 'blob' },
  clustering: {},
  columns: { process: 'text', dc: 'text', at: 'long' },
  ttlDays: historyDays,
  stamp: 'at',
  compaction: 'UCS',
})
