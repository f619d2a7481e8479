import type { Timers } from '#platform/timers.ts'
import { type Route53, Route53Error } from './port.ts'

/**
 * Route 53 takes five requests a second of an account, and one change at a time of a zone; what comes too fast is
 * refused, and is to be tried again (Route 53 Developer Guide, "Maximums on Route 53 API requests").
 */
const tooFast = new Set([
  'Throttling',
  'PriorRequestNotComplete',
  'RequestThrottled',
  'TooManyRequestsException',
])
/** Passing faults of the service. */
const passing = new Set(['ServiceUnavailable', 'InternalFailure', 'InternalServiceError', 'Unreachable'])

const firstPauseMs = 500
const longestPauseMs = 15_000
/** In all about a minute. */
const attempts = 8
/** Who has no network is told soon. */
const unreachableAttempts = 3

/**
 * The same port, patient: what was refused because it came too fast is sent again, with pauses that grow. What may have
 * been done although its answer is lost is sent again only where that does no harm.
 */
export function withRetries(
  port: Route53,
  { timers, random = Math.random }: { timers: Timers; random?: () => number },
): Route53 {
  const patient = async <T>(harmless: boolean, send: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await send()
      } catch (error) {
        if (!(error instanceof Route53Error)) throw error
        const again = tooFast.has(error.code) || (passing.has(error.code) && (harmless || error.refused))
        const most = error.code === 'Unreachable' ? unreachableAttempts : attempts
        if (!again || attempt >= most) throw error
        const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** (attempt - 1))
        // Two that were refused together must not come back together.
        await new Promise<void>((resolve) => timers.after(pause * (0.5 + random() / 2), resolve))
      }
    }
  }
  return {
    zonesNamed: (name) => patient(true, () => port.zonesNamed(name)),
    zone: (id) => patient(true, () => port.zone(id)),
    records: (zone) => patient(true, () => port.records(zone)),
    change: (zone, changes, comment) => patient(false, () => port.change(zone, changes, comment)),
    isInSync: (change) => patient(true, () => port.isInSync(change)),
    checks: () => patient(true, () => port.checks()),
    createCheck: (reference, config) => patient(true, () => port.createCheck(reference, config)),
    updateCheck: (id, version, config) => patient(false, () => port.updateCheck(id, version, config)),
    deleteCheck: (id) =>
      patient(true, async () => {
        try {
          await port.deleteCheck(id)
        } catch (error) {
          // The first of two requests did it.
          if (!(error instanceof Route53Error && error.code === 'NoSuchHealthCheck')) throw error
        }
      }),
    observations: (id) => patient(true, () => port.observations(id)),
    tags: (of, ids) => patient(true, () => port.tags(of, ids)),
    tag: (of, id, tags) => patient(true, () => port.tag(of, id, tags)),
  }
}
