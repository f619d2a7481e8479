import type { DeviceRef } from '../auth/principal.ts'
import type { Store } from '../store/store.ts'
import { Change, type EventRow, isConnected, monthOf } from './change.ts'
import { historyDays, presenceEvent } from './tables.ts'

const dayMs = 86_400_000

export interface HistoryQuery {
  /** Milliseconds since 1970, included. */
  readonly from?: number | undefined
  /** Not included. */
  readonly to?: number | undefined
  readonly limit: number
  /** Place that the page before gave. */
  readonly after?: HistoryPlace | undefined
}

interface HistoryPlace {
  readonly at: number
  /** Hash of the client id, in hex. */
  readonly slot: string
  readonly epoch: number
  readonly change: number
}

export interface PresenceEvent {
  readonly at: number
  readonly clientId: string
  readonly connected: boolean
  readonly reason: string | null
  readonly process: string | null
  readonly dc: string | null
  readonly address: string | null
  readonly version: number | null
  readonly keepAlive: number | null
  readonly cleanStart: boolean | null
  readonly sessionExpiry: number | null
  /** Changes that it stands for. */
  readonly changes: number
}

export interface HistoryPage {
  readonly events: readonly PresenceEvent[]
  readonly next: HistoryPlace | null
}

/** The newest first. Two processes that have both noticed the end of a third one made one event of it. */
export async function readPresenceHistory(
  store: Store,
  { org, id: device }: DeviceRef,
  { from, to, limit, after }: HistoryQuery,
  now: number,
): Promise<HistoryPage> {
  const oldest = Math.max(from ?? 0, now - historyDays * dayMs)
  const newest = Math.min(after?.at ?? Number.POSITIVE_INFINITY, (to ?? now + dayMs) - 1)
  const rows: EventRow[] = []
  for (let month = monthOf(newest); month >= monthOf(oldest) && rows.length <= limit; month--) {
    const end =
      after !== undefined && month === monthOf(after.at)
        ? {
            before: {
              at: after.at,
              slot: Buffer.from(after.slot, 'hex'),
              epoch: after.epoch,
              change: after.change,
            },
          }
        : { to: { at: newest } }
    // oxlint-disable-next-line no-await-in-loop -- month by month, until there are enough
    const page = await store.range(
      presenceEvent,
      { org, device, month },
      { from: { at: oldest }, ...end, reverse: true, limit: limit + 1 - rows.length },
    )
    rows.push(...page)
  }
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return {
    events: shown.filter((row, i) => !isRepeated(row, rows[i + 1])).map(eventOf),
    next: rows.length > limit && last !== undefined ? placeOf(last) : null,
  }
}

/** The same end of the same connection, a moment before. */
function isRepeated(row: EventRow, before: EventRow | undefined): boolean {
  return (
    before !== undefined &&
    row.change === Change.LOST &&
    before.change === Change.LOST &&
    row.epoch === before.epoch &&
    Buffer.compare(row.slot, before.slot) === 0
  )
}

function placeOf({ at, slot, epoch, change }: EventRow): HistoryPlace {
  return { at, slot: Buffer.from(slot).toString('hex'), epoch, change }
}

function eventOf(row: EventRow): PresenceEvent {
  return {
    at: row.at,
    clientId: row.client_id ?? '',
    connected: isConnected(row.change as Change),
    reason: row.reason ?? null,
    process: row.process ?? null,
    dc: row.dc ?? null,
    address: row.address ?? null,
    version: row.version ?? null,
    keepAlive: row.keep_alive ?? null,
    cleanStart: row.clean_start ?? null,
    sessionExpiry: row.session_expiry ?? null,
    changes: row.changes ?? 1,
  }
}
