import { inbox } from '#platform/store/tables.ts'
import type { Store } from '#platform/store/store.ts'
import type { Flights } from './flights.ts'
import { AWAIT_PUBACK, AWAIT_PUBCOMP } from './outbox.ts'
import type { WriterProgress } from './progress.ts'
import type { RowOrder } from './row-order.ts'
import type { SavedState } from './state.ts'

const NOTHING = new Uint8Array(0)

/**
 * Puts messages in flight that an earlier holder has sent and that were not acknowledged. Of a writer of whom one was not
 * found what came behind it with QoS 1 is sent anew, too, in its place. Rejects with StoreError.
 */
export async function restoreFlights(
  out: SavedState['out'],
  log: { readonly org: string; readonly log: Uint8Array },
  to: { readonly store: Store; readonly order: RowOrder; readonly flights: Flights },
): Promise<void> {
  const missing = new Set<WriterProgress>()
  for (const one of out) await restore(one, log, to, missing)
}

async function restore(
  { id, writer, seq, day, state }: SavedState['out'][number],
  log: Parameters<typeof restoreFlights>[1],
  { store, order, flights }: Parameters<typeof restoreFlights>[2],
  missing: Set<WriterProgress>,
): Promise<void> {
  const progress = order.reader.progressOf(writer)
  const alone = order.knowledge === null
  let stored: Uint8Array | undefined
  if (state !== AWAIT_PUBCOMP) {
    stored = (await store.get(inbox, { ...log, day, writer, seq }))?.message
    // In a cell it may still come, from a process that has not answered: then it is sent anew.
    const late = stored === undefined && !alone
    if (late) missing.add(progress)
    if (late || (state === AWAIT_PUBACK && (stored === undefined || missing.has(progress)))) return
  }
  if (stored !== undefined) {
    const entry = alone ? progress.take(seq, day, stored) : progress.takeLoose(seq, day, stored)
    flights.adopt(id, entry, state)
    return
  }
  // A QoS 2 message that has expired is released: the client may know its identifier.
  const gone = { writer: progress, seq, day, stored: NOTHING, out: null, settled: true, settledBefore: false }
  flights.adopt(id, gone, AWAIT_PUBCOMP)
}
