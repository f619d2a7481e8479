import type { RowOf } from '../store/table.ts'
import { type Facts, join, noFacts, type Terms } from './facts.ts'
import type { command, commandFact } from './tables.ts'

export const commandLimits = {
  /** Bytes of the parameters as JSON. */
  params: 49_152,
  /** Bytes of an answer. */
  result: 65_536,
  /** Levels of nesting of parameters and of answers that are shown as JSON. */
  depth: 32,
  /** Characters of a progress message. */
  message: 512,
  /** Milliseconds: as long as the broker keeps a message for a device that is away. */
  ttl: 604_800_000,
  timeout: 604_800_000,
  retries: 10,
  /** Commands that wait for one device; those beyond it are sent when it has taken these. */
  open: 1000,
} as const

/** Command ids: the platform's 22 characters, or what a client chose. */
export const commandId = /^[A-Za-z0-9_-]{1,64}$/
export const commandName = /^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,63}$/

/** What was asked of a device. Times are milliseconds since 1970. */
export interface Command extends Terms {
  readonly org: string
  readonly id: string
  readonly device: string
  /** Of the device, when the command was made. */
  readonly deviceName: string
  readonly name: string
  /** JSON. */
  readonly params: string | undefined
  readonly createdAt: number
  /** Who asked. */
  readonly createdBy: string | undefined
  readonly batch: string | undefined
}

export function commandOf(row: RowOf<typeof command>): Command {
  return {
    org: row.org,
    id: row.id,
    device: row.device ?? '',
    deviceName: row.device_name ?? row.device ?? '',
    name: row.name ?? '',
    params: row.params,
    createdAt: row.created_at ?? 0,
    createdBy: row.created_by,
    expiresAt: row.expires_at ?? 0,
    timeout: row.timeout ?? 0,
    retries: row.retries ?? 0,
    oneWay: row.one_way ?? false,
    batch: row.batch,
  }
}

export function rowOf(one: Command): RowOf<typeof command> {
  return {
    org: one.org,
    id: one.id,
    device: one.device,
    device_name: one.deviceName,
    name: one.name,
    params: one.params,
    created_at: one.createdAt,
    created_by: one.createdBy,
    expires_at: one.expiresAt,
    timeout: one.timeout,
    retries: one.retries,
    one_way: one.oneWay,
    batch: one.batch,
  }
}

/** The columns of a record of facts. */
export type FactColumns = Omit<RowOf<typeof commandFact>, 'org' | 'id' | 'writer' | 'n'>

export function columnsOf(facts: Facts, device: string, stamp: number): FactColumns {
  return {
    device,
    attempt: facts.attempt,
    sent_at: facts.sentAt,
    delivered_at: facts.deliveredAt,
    first_delivered_at: facts.firstDeliveredAt,
    running_at: facts.running?.at,
    progress: facts.running?.progress,
    message: facts.running?.message,
    ended_at: facts.end?.at,
    ended: facts.end?.ending,
    stamp,
  }
}

function factsOf(row: FactColumns & { writer: Uint8Array; n: number }): Facts {
  const { running_at: runningAt, ended_at: endedAt, ended } = row
  return {
    attempt: row.attempt ?? 0,
    sentAt: row.sent_at,
    deliveredAt: row.delivered_at,
    firstDeliveredAt: row.first_delivered_at,
    running:
      runningAt === undefined ? undefined : { at: runningAt, progress: row.progress, message: row.message },
    end:
      endedAt === undefined || !isEnding(ended)
        ? undefined
        : { at: endedAt, ending: ended, record: recordName(row.writer, row.n) },
  }
}

/** Clocks may be apart by that much, ms. */
const skewMs = 60_000
/** Stamps of the hybrid clock in a millisecond. */
const stampsPerMs = 1024

/**
 * Joins the records of a command. What speaks of another device is not of it, nor what is older: that was of a command which had
 * the id before.
 */
export function joined(
  rows: readonly (FactColumns & { writer: Uint8Array; n: number })[],
  { device, createdAt }: Pick<Command, 'device' | 'createdAt'>,
): Facts {
  const from = (createdAt - skewMs) * stampsPerMs
  return rows.reduce(
    (facts, row) => (row.device === device && (row.stamp ?? 0) >= from ? join(facts, factsOf(row)) : facts),
    noFacts,
  )
}

export function recordName(writer: Uint8Array, n: number): string {
  return `${Buffer.from(writer).toString('hex')}-${n}`
}

/** The key of a record by its name. */
export function recordKey(name: string): { writer: Uint8Array; n: number } {
  const [writer, n] = name.split('-')
  return { writer: Buffer.from(writer, 'hex'), n: Number(n) }
}

const endings = new Set<string | undefined>(['succeeded', 'failed', 'rejected', 'cancelled'])

function isEnding(text: string | undefined): text is 'succeeded' | 'failed' | 'rejected' | 'cancelled' {
  return endings.has(text)
}
