import { z } from 'zod'
import { PayloadError } from '#platform/telemetry/payload.ts'
import { secondsOfDay } from '../admission.ts'
import { durable, gateLoad } from '../durable.ts'
import { Problem } from '../problems.ts'
import { bytesOf, route, type Route } from '../route.ts'

const values = z.record(z.string(), z.unknown()).describe('{key: value}')
const entry = z.union([values, z.object({ ts: z.int().describe('milliseconds since 1970'), values })])

export const ingest: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/ingest',
    access: 'device-only',
    summary: 'Store values of the device that asks; answered when they are durable',
    tag: 'telemetry',
    // The bytes go to the parser that MQTT payloads go to.
    bytes: z.union([entry, z.array(entry)]),
    status: 200,
    answer: z.object({ points: z.int().describe('values stored') }),
    problems: [
      'invalid_telemetry',
      'limit_reached',
      'quota_exceeded',
      'body_too_large',
      'overloaded',
      'outcome_unknown',
    ],
    handle: async ({ deps, caller, request }) => {
      if (caller?.kind !== 'device') throw new Problem('forbidden', 'the key of a device is needed')
      gateLoad(deps, caller.device.org)
      const points = takeIn(() =>
        deps.platform.telemetry.ingestJson(caller.device, bytesOf(request), deps.clock.now()),
      )
      await durable(deps, caller.device.org)
      return { points }
    },
  }),
]

/** Runs what stages values; its refusal becomes a problem that names the field. */
export function takeIn<T>(stage: () => T): T {
  try {
    return stage()
  } catch (error) {
    if (!(error instanceof PayloadError)) throw error
    if (error.reason === 'quota_exhausted')
      throw new Problem('quota_exceeded', error.message, {
        retryAfter: secondsOfDay(Date.now()),
        cause: error,
      })
    const code = error.reason === 'too_many_keys' ? 'limit_reached' : 'invalid_telemetry'
    const field = error.field === '' ? 'body' : `body${error.field.startsWith('[') ? '' : '.'}${error.field}`
    throw new Problem(code, error.message, { errors: [{ field, message: error.problem }], cause: error })
  }
}
