import type { Clock } from '../clock.ts'
import type { LiveBus } from '../live/live-bus.ts'
import type { Facts, Outcome } from './facts.ts'
import type { Tracked } from './tracker.ts'

/** Bytes of an event, roughly. */
const eventBytes = 400

/** Tells live streams what has become of a command. */
export function tellLive(live: LiveBus, clock: Clock, entry: Tracked, facts: Facts, outcome: Outcome): void {
  const { org, request } = entry
  if (!request) return
  const { running } = facts
  live.publish(
    {
      type: 'command',
      org,
      device: { org, id: request.device, name: request.deviceName },
      at: clock.now(),
      data: {
        id: request.id,
        name: request.name,
        batch: request.batch ?? null,
        state: outcome.state,
        attempt: facts.attempt,
        progress: running?.progress ?? null,
        message: running?.message ?? null,
      },
    },
    eventBytes,
  )
}
