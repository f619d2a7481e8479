import { hash128 } from '#platform/hash.ts'
import { retained as table } from '#platform/store/tables.ts'
import type { RowOf } from '#platform/store/table.ts'
import type { GroupCommit } from '#platform/store/group-commit.ts'
import type { Broker } from './broker.ts'
import { Marks } from './cluster/marks.ts'
import { bucketOf } from './cluster/sums.ts'
import type { Message } from './message.ts'
import { propertiesSize } from './packets/properties.ts'
import { topicLevels } from './packets/topic.ts'
import type { Space } from './space.ts'
import { decodeStored, encodeStored } from './stored-message.ts'

type RetainedRow = RowOf<typeof table>

/** Levels of the topics of an organisation, some 300 bytes each; what topics have in common counts once. */
const LEVELS = 4_194_304

interface Level {
  children: Map<string, Level> | null
  message: Message | null
  /** Stamp of its row. */
  stamp: number
}

/**
 * The retained messages of one organisation: in memory, by topic level, so that a filter finds its topics without
 * looking at the others; and on disk, written before the PUBLISH is acknowledged.
 */
export class RetainedMessages {
  count = 0
  bytes = 0
  #levels = 0
  readonly #maxLevels: number
  readonly #broker: Broker
  readonly #commit: GroupCommit
  readonly #org: string
  #sweptAt = 0
  readonly #root: Level = { children: null, message: null, stamp: 0 }
  readonly #gone = new Marks()

  constructor({ broker, commit, org }: Pick<Space, 'broker' | 'commit' | 'org'>, maxLevels = LEVELS) {
    this.#broker = broker
    this.#commit = commit
    this.#org = org
    this.#maxLevels = maxLevels
  }

  /** Whether one more message of this size would break the organisation's limits. */
  full(message: Message): boolean {
    const { max_retained_messages, max_retained_bytes } = this.#broker.config.mqtt
    if (message.payload.length === 0) return false
    const old = this.get(message.topic)
    const count = this.count + (old === null ? 1 : 0)
    const bytes = this.bytes + size(message) - (old === null ? 0 : size(old))
    const levels = this.#levels + (old === null ? topicLevels(message.topic) : 0)
    if (count <= max_retained_messages && bytes <= max_retained_bytes && levels <= this.#maxLevels)
      return false
    return !this.#sweep() || this.full(message)
  }

  /**
   * Keeps a message in place of the topic's last one, or deletes that one if the payload is empty
   * [MQTT-3.3.1-5..7]. Stages the row; durable with the current ticket of the organisation's lane.
   */
  set(message: Message): void {
    const empty = message.payload.length === 0
    if (empty && this.get(message.topic) === null) return
    const kept = empty ? null : message.kept()
    const topicHash = hash128(message.topic)
    const stamp = this.#broker.hlc.next()
    this.#put(message.topic, kept, stamp)
    const row = {
      org: this.#org,
      bucket: topicHash[0],
      topic_hash: topicHash,
      topic: message.topic,
      message:
        kept === null
          ? undefined
          : encodeStored(
              { message: kept, qos: kept.qos, retain: true, identifiers: null, topic: null },
              null,
            ),
      expires_at: kept === null || kept.expiresAt === 0 ? undefined : kept.expiresAt,
      stamp,
    }
    this.#commit.stage().put(table, row)
    this.#broker.cell?.retainedRow(row)
  }

  /** A row from the store or another process; false: what is known is as new. */
  take(row: RetainedRow): boolean {
    const { topic, message, stamp = 0 } = row
    if (topic === undefined) return false
    const level = this.#find(topic)
    if (stamp <= Math.max(level?.stamp ?? 0, this.#gone.get(topic))) return false
    const kept = message === undefined ? null : decodeStored(message).message
    const alive = kept !== null && (kept.expiresAt === 0 || kept.expiresAt > this.#broker.now)
    this.#put(topic, alive ? kept : null, stamp)
    return true
  }

  /** Rows of these buckets, deleted ones included. */
  *rows(buckets: ReadonlySet<number>): Iterable<RetainedRow> {
    for (const { message, stamp } of below(this.#root)) {
      if (message === null || stamp === 0 || !buckets.has(bucketOf(this.#key(message.topic)))) continue
      const topic_hash = hash128(message.topic)
      yield {
        org: this.#org,
        bucket: topic_hash[0],
        topic_hash,
        topic: message.topic,
        message: encodeStored(
          { message, qos: message.qos, retain: true, identifiers: null, topic: null },
          null,
        ),
        expires_at: message.expiresAt === 0 ? undefined : message.expiresAt,
        stamp,
      }
    }
    for (const [topic, stamp] of this.#gone.entries()) {
      if (!buckets.has(bucketOf(this.#key(topic)))) continue
      const topic_hash = hash128(topic)
      yield { org: this.#org, bucket: topic_hash[0], topic_hash, topic, stamp }
    }
  }

  /** A message that is never on disk ($SYS). */
  setVolatile(message: Message): void {
    this.#put(message.topic, message)
  }

  /** From the disk, at start; false: it has expired. */
  restore(topic: string, bytes: Uint8Array): boolean {
    const { message } = decodeStored(bytes)
    const alive = message.expiresAt === 0 || message.expiresAt > this.#broker.now
    if (alive) this.#put(topic, message)
    return alive
  }

  get(topic: string): Message | null {
    return this.#find(topic)?.message ?? null
  }

  #find(topic: string): Level | undefined {
    let level: Level | undefined = this.#root
    for (const name of topic.split('/')) {
      level = level.children?.get(name)
      if (level === undefined) return undefined
    }
    return level
  }

  #key(topic: string): string {
    return `${this.#org}\0${topic}`
  }

  /** All messages whose topic matches the filter, not expired (3.3.1.3). */
  match(filter: string): Message[] {
    const found: Message[] = []
    collect(this.#root, filter.split('/'), 0, found, this.#broker.now)
    return found
  }

  /** Forgets what has expired, at most once a second; false: nothing was found. */
  #sweep(): boolean {
    const { now } = this.#broker
    if (now < this.#sweptAt + 1000) return false
    this.#sweptAt = now
    const expired: Message[] = []
    collectExpired(this.#root, expired, now)
    for (const message of expired) this.#put(message.topic, null)
    return expired.length > 0
  }

  /** `stamp`: of its row; 0: it has none. */
  #put(topic: string, message: Message | null, stamp = 0): void {
    const { cell } = this.#broker
    const path = [this.#root]
    const names = topic.split('/')
    for (const name of names) {
      const children = (path[path.length - 1].children ??= new Map<string, Level>())
      let next = children.get(name)
      if (next === undefined) {
        children.set(name, (next = { children: null, message: null, stamp: 0 }))
        this.#levels++
      }
      path.push(next)
    }
    const leaf = path[path.length - 1]
    if (leaf.message !== null) {
      this.count--
      this.bytes -= size(leaf.message)
    }
    if (cell !== null && leaf.stamp > 0) cell.retainedSums.toggle(this.#key(topic), leaf.stamp)
    leaf.message = message
    leaf.stamp = message === null ? 0 : stamp
    if (cell !== null && leaf.stamp > 0) cell.retainedSums.toggle(this.#key(topic), stamp)
    if (cell !== null && message === null && stamp > 0) this.#gone.set(topic, stamp)
    if (message !== null) {
      this.count++
      this.bytes += size(message)
      return
    }
    for (let i = names.length; i > 0 && path[i].message === null && path[i].children === null; i--) {
      const parent = path[i - 1]
      parent.children?.delete(names[i - 1])
      this.#levels--
      if (parent.children?.size === 0) parent.children = null
    }
  }
}

function* below(level: Level): Iterable<Level> {
  yield level
  if (level.children !== null) for (const child of level.children.values()) yield* below(child)
}

function size(message: Message): number {
  return message.topic.length + message.payload.length + propertiesSize(message.properties)
}

function collect(level: Level, names: readonly string[], i: number, found: Message[], now: number): void {
  if (i === names.length) {
    take(level, found, now)
    return
  }
  const name = names[i]
  if (name === '#') {
    collectAll(level, found, now, i === 0)
    return
  }
  if (name !== '+') {
    const next = level.children?.get(name)
    if (next !== undefined) collect(next, names, i + 1, found, now)
    return
  }
  if (level.children === null) return
  for (const [child, next] of level.children) {
    // [MQTT-4.7.2-1]
    if (i > 0 || child.charCodeAt(0) !== 36) collect(next, names, i + 1, found, now)
  }
}

function collectAll(level: Level, found: Message[], now: number, top: boolean): void {
  take(level, found, now)
  if (level.children === null) return
  for (const [child, next] of level.children) {
    if (!top || child.charCodeAt(0) !== 36) collectAll(next, found, now, false)
  }
}

function take(level: Level, found: Message[], now: number): void {
  const { message } = level
  if (message !== null && (message.expiresAt === 0 || message.expiresAt > now)) found.push(message)
}

function collectExpired(level: Level, found: Message[], now: number): void {
  const { message } = level
  if (message !== null && message.expiresAt !== 0 && message.expiresAt <= now) found.push(message)
  if (level.children !== null) for (const child of level.children.values()) collectExpired(child, found, now)
}
