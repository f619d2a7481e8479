import { isWellFormedUtf8 } from './utf8.ts'

const NUL = 0x00
const HASH = 0x23
const DOLLAR = 0x24
const PLUS = 0x2b
const SLASH = 0x2f
const SHARE = '$share/'

/** Whether `topic` may be published to: not empty [MQTT-4.7.3-1], no wildcards [MQTT-4.7.0-1], no U+0000 [MQTT-4.7.3-2]. */
export function isValidTopicName(topic: string): boolean {
  if (topic.length === 0) return false
  for (let i = 0; i < topic.length; i++) {
    const c = topic.charCodeAt(i)
    if (c === PLUS || c === HASH || c === NUL) return false
  }
  return true
}

/** As isValidTopicName, on the bytes [from, to), and that they are well-formed UTF-8. Allocates nothing. */
export function isValidTopicBytes(buf: Buffer, from: number, to: number): boolean {
  if (from >= to) return false
  let bits = 0
  for (let i = from; i < to; i++) {
    const c = buf[i]
    if (c === PLUS || c === HASH || c === NUL) return false
    bits |= c
  }
  return bits < 0x80 || isWellFormedUtf8(buf, from, to)
}

/** Whether `filter` may be subscribed to, shared subscriptions included [MQTT-4.7.1-1, 4.7.1-2, 4.7.3-1, 4.7.3-2, 4.8.2-1, 4.8.2-2]. */
export function isValidFilter(filter: string): boolean {
  return filter.startsWith(SHARE) ? parseShare(filter) !== null : isValidPlainFilter(filter)
}

function isValidPlainFilter(filter: string): boolean {
  const length = filter.length
  if (length === 0) return false
  for (let i = 0; i < length; i++) {
    const c = filter.charCodeAt(i)
    if (c === NUL) return false
    if (c !== PLUS && c !== HASH) continue
    if (i > 0 && filter.charCodeAt(i - 1) !== SLASH) return false
    if (c === HASH) return i === length - 1 // [MQTT-4.7.1-1]
    if (i + 1 < length && filter.charCodeAt(i + 1) !== SLASH) return false // [MQTT-4.7.1-2]
  }
  return true
}

/** The parts of `$share/{group}/{filter}`; null if `filter` is not a valid shared subscription [MQTT-4.8.2-1, 4.8.2-2]. */
export function parseShare(filter: string): { group: string; filter: string } | null {
  if (!filter.startsWith(SHARE)) return null
  const end = filter.indexOf('/', SHARE.length)
  if (end === -1) return null
  const group = filter.slice(SHARE.length, end)
  const rest = filter.slice(end + 1)
  return isValidTopicName(group) && isValidPlainFilter(rest) ? { group, filter: rest } : null
}

/** Number of levels: one more than there are separators (4.7.1.1). */
export function topicLevels(topic: string): number {
  let levels = 1
  for (let i = 0; i < topic.length; i++) if (topic.charCodeAt(i) === SLASH) levels++
  return levels
}

/**
 * Whether a valid filter (of a shared subscription: its filter part) matches a topic name (4.7). Topics that begin
 * with $ are not matched by a filter that begins with a wildcard [MQTT-4.7.2-1].
 */
export function matches(filter: string, topic: string): boolean {
  const first = filter.charCodeAt(0)
  if (topic.charCodeAt(0) === DOLLAR && (first === PLUS || first === HASH)) return false
  let f = 0
  let t = 0
  while (f < filter.length) {
    const c = filter.charCodeAt(f)
    if (c === HASH) return true
    if (c === PLUS) {
      while (t < topic.length && topic.charCodeAt(t) !== SLASH) t++
      f++
    } else if (t < topic.length && topic.charCodeAt(t) === c) {
      f++
      t++
    } else {
      return t === topic.length && isParentOf(filter, f)
    }
  }
  return t === topic.length
}

/** `sport/#` also matches `sport`: what is left of the filter is `/#` (4.7.1.2). */
function isParentOf(filter: string, at: number): boolean {
  return filter.length === at + 2 && filter.charCodeAt(at) === SLASH && filter.charCodeAt(at + 1) === HASH
}
