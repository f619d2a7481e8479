import { table } from '../store/table.ts'

/** Days that a command is kept after it was made. */
export const commandDays = 30

/** Parts of an organisation's day, and of a batch; never change them, the rows would not be found. */
export const commandBuckets = 8
export const batchBuckets = 16
/** Parts of an hour in which commands expire. */
export const dueShards = 4

/** What becomes of a command, as one process has seen it (see `Facts`). */
const facts = {
  /** Whose connection it came by: a record of another device than the command's says nothing. */
  device: 'text',
  attempt: 'int',
  sent_at: 'long',
  delivered_at: 'long',
  first_delivered_at: 'long',
  running_at: 'long',
  progress: 'double',
  message: 'text',
  ended_at: 'long',
  ended: 'text',
  stamp: 'long',
} as const

/** What was asked; never changes. */
export const command = table({
  name: 'command',
  partition: { org: 'text', id: 'text' },
  clustering: {},
  columns: {
    device: 'text',
    /** Of the device, when it was made. */
    device_name: 'text',
    name: 'text',
    /** JSON; absent: none. */
    params: 'text',
    created_at: 'long',
    created_by: 'text',
    expires_at: 'long',
    /** Milliseconds that the device has to answer. */
    timeout: 'long',
    retries: 'int',
    one_way: 'boolean',
    batch: 'text',
  },
  ttlDays: commandDays,
  compaction: 'UCS',
})

/** A row is written by one process only and holds all that it knows; the rows of all processes are joined. */
export const commandFact = table({
  name: 'command_fact',
  partition: { org: 'text', id: 'text' },
  clustering: { writer: 'blob', n: 'long' },
  columns: facts,
  stamp: 'stamp',
  ttlDays: commandDays,
  compaction: 'UCS',
})

/** What the device answered, as it came; by the row of `command_fact` that says so. */
export const commandResult = table({
  name: 'command_result',
  partition: { org: 'text', id: 'text' },
  clustering: { writer: 'blob', n: 'long' },
  columns: { body: 'blob' },
  ttlDays: commandDays,
  compaction: 'UCS',
})

/** A device's commands in order of time. */
export const commandByDevice = table({
  name: 'command_by_device',
  /** Weeks since 1970 of `created_at`. */
  partition: { org: 'text', device: 'text', week: 'int' },
  clustering: { created_at: 'long', id: 'text' },
  columns: {},
  ttlDays: commandDays,
  compaction: 'UCS',
})

/** An organisation's commands in order of time. */
export const commandByDay = table({
  name: 'command_by_day',
  /** Days since 1970 of `created_at`; bucket by the id's hash. */
  partition: { org: 'text', day: 'int', bucket: 'int' },
  clustering: { created_at: 'long', id: 'text' },
  columns: { device: 'text' },
  ttlDays: commandDays,
  compaction: 'TWCS',
})

/** Commands that a device has not acknowledged: sent when it subscribes. */
export const commandOpen = table({
  name: 'command_open',
  partition: { org: 'text', device: 'text' },
  clustering: { created_at: 'long', id: 'text' },
  columns: {},
  ttlDays: commandDays,
  compaction: 'UCS',
})

/** When each command that has not ended is over at the latest, for what no process remembers. */
export const commandDue = table({
  name: 'command_due',
  /** Hours since 1970 of `due`; shard by the id's hash. */
  partition: { hour: 'int', shard: 'int' },
  clustering: { due: 'long', org: 'text', id: 'text' },
  columns: {},
  ttlDays: commandDays,
  compaction: 'TWCS',
})

/** One command to many devices. */
export const commandBatch = table({
  name: 'command_batch',
  partition: { org: 'text', id: 'text' },
  clustering: {},
  columns: {
    name: 'text',
    params: 'text',
    created_at: 'long',
    created_by: 'text',
    expires_at: 'long',
    timeout: 'long',
    retries: 'int',
    one_way: 'boolean',
    /** What was asked for, as JSON. */
    target: 'text',
    /** Devices that have their command. */
    made: 'int',
    /** All of them have. */
    complete: 'boolean',
    /** When the process that makes it said so last. */
    stamp: 'long',
  },
  stamp: 'stamp',
  ttlDays: commandDays,
  compaction: 'UCS',
})

/** An organisation's batches in order of time. */
export const commandBatchByWeek = table({
  name: 'command_batch_by_week',
  /** Weeks since 1970 of `created_at`. */
  partition: { org: 'text', week: 'int' },
  clustering: { created_at: 'long', id: 'text' },
  columns: {},
  ttlDays: commandDays,
  compaction: 'UCS',
})

/** The commands of a batch, by device. */
export const commandBatchItem = table({
  name: 'command_batch_item',
  /** Bucket by the device's hash. */
  partition: { org: 'text', batch: 'text', bucket: 'int' },
  clustering: { device: 'text' },
  columns: { id: 'text' },
  ttlDays: commandDays,
  compaction: 'UCS',
})

/** The same facts as in `command_fact`, beside those of the batch's other commands, so that they can be counted. */
export const commandBatchFact = table({
  name: 'command_batch_fact',
  partition: { org: 'text', batch: 'text', bucket: 'int' },
  clustering: { id: 'text', writer: 'blob', n: 'long' },
  columns: facts,
  stamp: 'stamp',
  ttlDays: commandDays,
  compaction: 'UCS',
})
