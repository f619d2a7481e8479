import type { Principal } from '../auth/principal.ts'

/** What became of a payload that a sink was given; `code` is the MQTT 5 reason code of a refusal. */
export interface Refusal {
  readonly code: 'payload_format_invalid' | 'quota_exceeded'
  /** Names the field and the remedy. */
  readonly explanation: string
}

/**
 * Takes the payloads of one (device, topic). `accept` stages what must be stored into the platform's group commit
 * and returns; the caller acknowledges when the commit's current ticket is durable.
 */
export interface Sink {
  /** `responseTopic`: where an MQTT 5 client wants its answer. */
  accept(payload: Uint8Array, receivedAt: number, responseTopic?: string): Refusal | undefined
}

/** The topics that the platform understands; asked once per connection and topic, never per message. */
export interface Conventions {
  sinkFor(principal: Principal, topic: string): Sink | null
}

/** A broker without a platform behind it: all topics are free. */
export const noConventions: Conventions = { sinkFor: () => null }

/** Several conventions as one: a topic is its whose sink comes first. */
export function firstOf(...all: readonly Conventions[]): Conventions {
  return {
    sinkFor(principal, topic) {
      for (const one of all) {
        const sink = one.sinkFor(principal, topic)
        if (sink !== null) return sink
      }
      return null
    },
  }
}
