import {
  inbox,
  retained as retainedTable,
  session as sessionTable,
  subscription as subscriptionTable,
} from '#platform/store/tables.ts'
import type { DurableOutbox } from '../outbox/durable-outbox.ts'
import type { FetchedEntry, GatheredEntry } from './answers.ts'
import type { Cell, ControlEntry } from './cell.ts'
import { Entry, readJson } from './entries.ts'
import type { Member } from './member.ts'
import { decodeRow } from './rows.ts'

interface ClaimEntry {
  readonly org: string
  readonly client: string
  readonly epoch: number
}

/** Gives an entry of another process to the part that it is for. Throws what its reader throws: it was malformed. */
export function takeEntry(cell: Cell, member: Member, type: number, body: Buffer): void {
  switch (type) {
    case Entry.RUN:
      return cell.inbound.run(body)
    case Entry.MESSAGE:
      return cell.inbound.message(body)
    case Entry.LIVE_ROW:
      return liveRow(cell, member, body)
    case Entry.SHARED:
      return cell.inbound.shared(body)
    case Entry.SESSION: {
      const row = decodeRow(sessionTable, body)
      if (cell.seen(Math.max(row.epoch, row.stamp ?? 0))) cell.directory.takeSession(row)
      return
    }
    case Entry.SUBSCRIPTION: {
      const row = decodeRow(subscriptionTable, body)
      if (cell.seen(row.stamp ?? 0)) cell.directory.takeSubscription(row)
      return
    }
    case Entry.RETAINED: {
      const row = decodeRow(retainedTable, body)
      if (cell.seen(row.stamp ?? 0)) cell.broker.space(row.org).retained.take(row)
      return
    }
    case Entry.CLAIM:
      return claimed(cell, readJson(body) as ClaimEntry)
    case Entry.GATHER:
      return cell.answers.gather(member, body)
    case Entry.GATHERED:
      return gathered(cell, member, body)
    case Entry.COPY:
      return cell.gathering.copy(body.readUInt32BE(0), decodeRow(inbox, body.subarray(4)))
    case Entry.FETCH:
      return cell.answers.fetch(member, body)
    case Entry.FETCHED:
      return cell.gathering.fetched(member, readJson(body) as FetchedEntry)
    case Entry.INTEREST:
      return cell.interest.told(member, body)
    case Entry.SUMS:
      return cell.sync.asked(member, body)
    case Entry.SYNCED:
      member.synced = true
      return cell.checkReady()
    case Entry.MISSING:
      return cell.membership.misses(member, readJson(body) as number[])
    case Entry.HELLO:
      return hello(cell, member, readJson(body) as { appended: number })
    case Entry.CONTROL:
      return cell.onControl(readJson(body) as ControlEntry)
    default:
      for (const part of cell.parts) if (part.entry?.(member, type, body) === true) return
      cell.dropped.unknown.value++
  }
}

/** A new stream: what the other has written before it was not sent here. */
function hello(cell: Cell, member: Member, { appended }: { appended: number }): void {
  if (appended > 0) cell.scrubber.missed(member)
}

function liveRow(cell: Cell, member: Member, body: Buffer): void {
  const row = decodeRow(inbox, body)
  const session = cell.directory.bySid(row.log)
  if (session?.kind !== 'here' || session.ended || !session.durable) {
    cell.dropped.notHeld.value++
    return
  }
  ;(session.outbox as DurableOutbox).takeLive(row, member)
}

function gathered(cell: Cell, member: Member, body: Buffer): void {
  const end = readJson(body) as GatheredEntry
  if (end.failed === true && end.over !== true) cell.membership.storeAway(member.peer.dcNumber)
  cell.gathering.gathered(member, end)
}

function claimed(cell: Cell, { org, client, epoch }: ClaimEntry): void {
  if (!cell.seen(epoch)) return
  cell.wills.connected(org, client, epoch)
  const session = cell.broker.space(org).sessions.get(client)
  if (session === undefined || session.durable || session.epoch >= epoch) return
  cell.broker.stats.takeovers.value++
  cell.broker.lifecycle.release(session)
  cell.broker.lifecycle.end(session, 'taken over')
}
