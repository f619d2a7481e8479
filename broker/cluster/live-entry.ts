import { z } from 'zod'
import { type LiveEvent, liveTypes, type Origin } from '#platform/live/live-event.ts'

const live = z.object({
  type: z.enum(liveTypes),
  org: z.string(),
  device: z.object({ id: z.string(), name: z.string() }).nullable(),
  at: z.number(),
  data: z.record(z.string(), z.unknown()),
  ring: z.string(),
  number: z.int(),
})

/** An event as it goes to another process. */
export function encodeEvent({ type, org, device, at, data }: LiveEvent, { ring, number }: Origin): Buffer {
  const ref = device === null ? null : { id: device.id, name: device.name }
  return Buffer.from(JSON.stringify({ type, org, device: ref, at, data, ring, number }))
}

/** Throws ZodError. */
export function decodeEvent(body: unknown): { event: LiveEvent; origin: Origin } {
  const { type, org, device, at, data, ring, number } = live.parse(body)
  return {
    event: { type, org, device: device === null ? null : { org, ...device }, at, data },
    origin: { ring, number },
  }
}
