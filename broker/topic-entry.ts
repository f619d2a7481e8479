import type { Sink } from '#platform/telemetry/conventions.ts'
import type { Connection } from './connection.ts'
import { isValidTopicBytes, topicLevels } from './packets/topic.ts'
import type { Route } from './router/route.ts'
import { fits, routedTopic } from './topics.ts'

/** What a connection knows of a topic it publishes to: all decisions that are the same for the next message. */
export interface TopicEntry {
  readonly bytes: Buffer
  /** As routed: `v1/devices/me/...` with the device's id. */
  readonly topic: string
  route: Route
  readonly allowed: boolean
  readonly sink: Sink | null
  /** Its messages may be copied to receivers as they came: the short way. */
  readonly plain: boolean
}

/** Topics that a connection remembers beside its last one. */
const REMEMBERED = 64
/** Their bytes; each costs some three times as much. */
const REMEMBERED_BYTES = 16_384

/** The topics of a connection that publishes to more than one. */
export class TopicEntries {
  readonly #entries = new Map<string, TopicEntry>()
  #bytes = 0

  constructor(first: TopicEntry) {
    this.add(first)
  }

  get(d: Buffer, from: number, to: number): TopicEntry | undefined {
    return this.#entries.get(d.toString('latin1', from, to))
  }

  add(entry: TopicEntry): void {
    this.#bytes += entry.bytes.length
    if (this.#entries.size >= REMEMBERED || this.#bytes > REMEMBERED_BYTES) {
      this.#entries.clear()
      this.#bytes = entry.bytes.length
    }
    this.#entries.set(entry.bytes.toString('latin1'), entry)
  }
}

/** Finds out all there is to know about a topic; null: not a valid one, or beyond the limits. A denial is logged here, once. */
export function makeTopicEntry(
  connection: Connection,
  d: Buffer,
  from: number,
  to: number,
): TopicEntry | null {
  const { broker, principal, session, space } = connection
  const { mqtt } = broker.config
  if (principal === null || session === null || space === null) return null
  if (to - from > mqtt.max_topic_bytes || !isValidTopicBytes(d, from, to)) return null
  const name = d.toString('utf8', from, to)
  if (topicLevels(name) > mqtt.max_topic_levels) return null
  const topic = routedTopic(name, session.deviceId)
  if (!fits(topic)) return null
  const allowed = principal.acl.check('publish', name)
  if (!allowed) {
    const detail = principal.acl.explain('publish', name).reason
    broker.logLimit.warn(
      'publish denied',
      { event: 'acl.denied', access: 'publish', client: session.clientId, topic: name, detail },
      'publish denied',
    )
  }
  const sink = allowed ? broker.conventions.sinkFor(principal, name) : null
  return {
    bytes: Buffer.from(d.subarray(from, to)),
    topic,
    route: space.router.route(topic),
    allowed,
    sink,
    plain: allowed && sink === null && topic === name && mqtt.message_expiry_maximum === 0,
  }
}

/** Whether d[from, to) are these bytes. Topics are short: a loop is faster than a call into native code. */
export function sameBytes(d: Buffer, from: number, to: number, other: Buffer): boolean {
  if (to - from !== other.length) return false
  for (let i = from, j = 0; i < to; i++, j++) if (d[i] !== other[j]) return false
  return true
}
