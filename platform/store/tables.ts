import { table } from './table.ts'

/**
 * The broker's tables. Every key starts with the organisation; client ids, filters and topics appear in keys as
 * 128-bit hashes (`hash128`), because a topic may be longer than an engine's keys.
 */

/** One row per epoch (connection) of a session; the highest epoch is the session. */
export const session = table({
  name: 'session',
  partition: { org: 'text', client: 'blob' },
  clustering: { epoch: 'long' },
  columns: {
    client_id: 'text',
    sid: 'blob',
    /** Seconds the session outlives its connection; 0xFFFFFFFF: for ever. */
    expiry: 'long',
    username: 'text',
    device_id: 'text',
    /** Process incarnation that holds the connection; absent: disconnected. */
    holder: 'blob',
    /** Milliseconds since 1970 at which the connection ended. */
    ended_at: 'long',
    /** Encoded will with its delay; absent: none, or already published. */
    will: 'blob',
    stamp: 'long',
  },
  stamp: 'stamp',
  compaction: 'UCS',
})

export const subscription = table({
  name: 'subscription',
  partition: { org: 'text', sid: 'blob' },
  clustering: { filter_hash: 'blob' },
  columns: {
    filter: 'text',
    /** Subscription options byte of MQTT 5 (3.8.3.1). */
    options: 'int',
    identifier: 'long',
    /** Unsubscribed; the row stays as a marker so that an older write cannot bring it back. */
    gone: 'boolean',
    stamp: 'long',
  },
  stamp: 'stamp',
  compaction: 'UCS',
})

/** The messages promised to a session. `log` is the session's sid, `writer` a process incarnation or a stream. */
export const inbox = table({
  name: 'inbox',
  partition: { org: 'text', log: 'blob', day: 'int' },
  clustering: { writer: 'blob', seq: 'long' },
  columns: { message: 'blob', hlc: 'long', kind: 'int' },
  ttlDays: 7,
  compaction: 'TWCS',
})

/** What a holder knows of a session, one row per epoch: floors, settled above them, packet ids out and in. */
export const state = table({
  name: 'state',
  partition: { org: 'text', sid: 'blob' },
  clustering: { epoch: 'long' },
  columns: { version: 'long', body: 'blob' },
  compaction: 'UCS',
})

export const retained = table({
  name: 'retained',
  /** First two hex digits of the topic's hash: 256 buckets an organisation. */
  partition: { org: 'text', bucket: 'int' },
  clustering: { topic_hash: 'blob' },
  columns: {
    topic: 'text',
    /** Encoded message; absent: deleted. */
    message: 'blob',
    /** Milliseconds since 1970 after which it is gone; absent: never. */
    expires_at: 'long',
    stamp: 'long',
  },
  stamp: 'stamp',
  compaction: 'UCS',
})
