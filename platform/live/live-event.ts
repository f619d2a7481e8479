import type { DeviceRef } from '../auth/principal.ts'

/** Kinds of live events; a stream may choose some of them. */
export const liveTypes = ['telemetry', 'presence', 'command', 'twin', 'registry', 'audit', 'warning'] as const
export type LiveType = (typeof liveTypes)[number]

/** Something that happened in an organisation, told after it is durable. Never a promise: streams may miss some, and hear so. */
export interface LiveEvent {
  /** `message`: an MQTT message, in streams of topics only. */
  readonly type: LiveType | 'message'
  readonly org: string
  /** Whom it is about; null: no device. */
  readonly device: DeviceRef | null
  /** Milliseconds since 1970 at which the platform took it. */
  readonly at: number
  /** What else a stream shows of it: JSON, names in snake_case, nothing secret. */
  readonly data: object
}

/** An event with the place from which a later stream can go on. */
export interface PlacedEvent {
  readonly cursor: string
  readonly event: LiveEvent
}

/** Where an event was taken: the ring of that process, and its number there. The same in every process that tells it. */
export interface Origin {
  readonly ring: string
  readonly number: number
}

/** What a cursor says. */
export interface Cursor {
  /** Ring of the process whose stream showed the event, and its number there. */
  readonly ring: string
  readonly number: number
  /** Milliseconds since 1970 of the event. */
  readonly at: number
  readonly origin: Origin
}

const cursorPattern = /^([0-9a-f]{12})-(\d{1,15})-(\d{1,15})(?:-([0-9a-f]{12})-(\d{1,15}))?$/

/** `ring-number-at`, and the origin behind it if that is another ring. */
export function cursorText({ ring, number, at, origin }: Cursor): string {
  const text = `${ring}-${number}-${at}`
  return origin.ring === ring ? text : `${text}-${origin.ring}-${origin.number}`
}

/** Undefined: it is not a cursor. */
export function parseCursor(text: string): Cursor | undefined {
  const [, ring, number, at, originRing = ring, originNumber = number] = cursorPattern.exec(text) ?? []
  if (ring === undefined) return undefined
  return {
    ring,
    number: Number(number),
    at: Number(at),
    origin: { ring: originRing, number: Number(originNumber) },
  }
}
