import { type Cursor, cursorText, type LiveEvent, type Origin } from './live-event.ts'
import { Kept, type LiveRing } from './live-ring.ts'

/** What other processes have of an organisation's latest events, each of those that it took itself. */
export interface Replayed {
  readonly events: readonly { readonly event: LiveEvent; readonly bytes: number; readonly origin: Origin }[]
  /** Their rings, and until when each has given up events. */
  readonly rings: readonly { readonly id: string; readonly forgottenAt: number }[]
  /** All processes in contact have answered, and none has ended since without telling what it had. */
  readonly complete: boolean
}

/**
 * Two processes may have told a stream events in another order than their times say, and their clocks differ: of
 * processes other than the one that took the cursor's event, those of the last seconds before it are told again.
 */
const marginMs = 5000
/** Events that a stream begins with at most; older ones are missing then. */
const maxReplay = 20_000
/** No ring: events that are told again are in no order that one ring has. */
const nowhere = '000000000000'

/** From when on events must be asked for to go on after a cursor that another process gave. */
export function after({ at }: Cursor): number {
  return at - marginMs
}

/**
 * The events after a cursor of another ring: of the process that took its event exactly those behind it, of the
 * others perhaps a few again.
 *
 * @param position number in the own ring from which on the stream gets its events by itself
 * @param pending what the stream has got by itself already
 */
export function collect(
  cursor: Cursor,
  ring: LiveRing,
  {
    position,
    since,
    others,
    pending,
  }: { position: number; since: number; others: Replayed; pending: Iterable<Kept> },
): { events: Kept[]; complete: boolean } {
  const seen = new Set<string>()
  for (const { origin } of pending) seen.add(keyOf(origin))
  const events: Kept[] = []
  for (const { event, bytes, origin } of [...ring.since(since, position), ...others.events]) {
    if (event.at < since) continue
    if (origin.ring === cursor.origin.ring && origin.number <= cursor.origin.number) continue
    const key = keyOf(origin)
    if (seen.has(key)) continue
    seen.add(key)
    const place = { ring: nowhere, number: 0, at: event.at, origin }
    events.push(new Kept(event, origin, cursorText(place), bytes))
  }
  events.sort((a, b) => a.event.at - b.event.at || a.origin.number - b.origin.number)
  const rings = [{ id: ring.id, forgottenAt: ring.forgottenAt }, ...others.rings]
  const complete =
    others.complete &&
    events.length <= maxReplay &&
    rings.some(({ id }) => id === cursor.origin.ring) &&
    rings.every(({ forgottenAt }) => forgottenAt < cursor.at)
  return { events: events.slice(-maxReplay), complete }
}

function keyOf({ ring, number }: Origin): string {
  return `${ring}-${number}`
}
