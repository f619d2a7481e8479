import type { Session } from './session.ts'

/** Why messages to a client were not delivered. */
type DropReason = 'slow_receiver' | 'queue_full' | 'expired' | 'larger_than_receiver_allows' | 'qos0_offline'

/** How many, since the session has been here. */
export type Drops = { -readonly [R in DropReason]?: number }

/** Counts for the session itself what the broker's counters count for all. */
export function countDrop(session: Session | null, reason: DropReason, n = 1): void {
  if (session === null) return
  const drops = (session.drops ??= {})
  drops[reason] = (drops[reason] ?? 0) + n
}
