import type { RowOf } from '#platform/store/table.ts'
import type { inbox } from '#platform/store/tables.ts'
import type { Broker } from '../broker.ts'
import type { Outgoing } from '../message.ts'
import { encodeStored } from '../stored-message.ts'
import type { SharedOutgoing } from './memory-outbox.ts'
import { sharedWriter } from './stream-writer.ts'

/** Under which writer a message is written: this process, or the stream of its QoS 2 publisher. */
export function writerOf(broker: Broker, out: Outgoing): Uint8Array {
  const { stream } = out.message
  if (stream === null) return broker.writer
  const share = shareOf(out)
  return share === null ? stream.writer : sharedWriter(stream.writer, share)
}

/** The row of an inbox that promises this message; it has its number from here on. */
export function inboxRow(
  broker: Broker,
  org: string,
  log: Uint8Array,
  out: Outgoing,
  seq = out.message.stream?.seq ?? broker.nextSeq(),
  writer = writerOf(broker, out),
): RowOf<typeof inbox> & { message: Uint8Array; hlc: number } {
  return {
    org,
    log,
    day: broker.day,
    writer,
    seq,
    message: encodeStored(out, shareOf(out)),
    hlc: broker.hlc.next(),
    kind: 0,
  }
}

/** `$share/{group}/{filter}` by which it comes; null: not shared. */
function shareOf(out: Outgoing): string | null {
  if (!('group' in out)) return null
  const { group } = out as SharedOutgoing
  return `$share/${group.name}/${group.match}`
}
