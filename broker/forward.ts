import type { Connection } from './connection.ts'
import { peersOf } from './cluster/peer-receiver.ts'
import { deliver, deliverToPeers } from './deliver.ts'
import { countDrop } from './drops.ts'
import { Message, type Qos } from './message.ts'
import { MemoryOutbox } from './outbox/memory-outbox.ts'
import { AWAIT_PUBACK, AWAIT_PUBREC } from './outbox/outbox.ts'
import { noProperties } from './packets/properties.ts'
import type { Session } from './session.ts'
import type { Space } from './space.ts'
import type { TopicEntry } from './topic-entry.ts'

/** Most packets forwarded together. */
export const RUN = 16_384
/** Runs from this size on are sent as a view of the bytes that came in, unless that would keep many more in memory. */
const VIEW = 4096

/** Where the topics of the run's packets end (QoS 0) and so their packet identifiers stand (QoS 1 and 2). */
export const packetOffsets = new Int32Array(RUN)

/**
 * Forwards a run: packets d[from, to) of one publisher with one topic and QoS, no retain, no properties. Where the
 * receiver's packet differs from the publisher's in nothing but the identifier, the whole run is copied once and the
 * identifiers are patched. That is what makes a broker in JavaScript fast; everything else takes `deliver`.
 */
export function forwardRun(
  from: Connection,
  d: Buffer,
  start: number,
  end: number,
  entry: TopicEntry,
  qos: Qos,
  n: number,
): void {
  const { stats } = from.broker
  stats.packetsIn.value += n
  stats.received.value += n
  from.space?.usage?.add('messages', n)
  // Looking up the topic that ended the run may have made room by forgetting this one's route.
  if (!entry.route.valid) entry.route = (from.space as Space).router.route(entry.topic)
  const { targets, peers, away } = entry.route
  const length = end - start
  const view =
    qos === 0 && length >= VIEW && length * 4 >= d.buffer.byteLength ? d.subarray(start, end) : null
  let messages: Message[] | null = null
  for (let i = 0; i < targets.length; i++) {
    const target = targets[i]
    const to = target.session.connection
    if (target.session.kind === 'away') continue
    if (to === null) {
      stats.dropped.offline.value += n
      countDrop(target.session as Session, 'qos0_offline', n)
      continue
    }
    if (
      target.qos >= qos &&
      target.plain &&
      to.simple &&
      to.version === from.version &&
      !to.traced &&
      (target.own === target || to !== from)
    ) {
      if (qos === 0) {
        if (to.choked) {
          stats.dropped.slow.value += n
          countDrop(to.session, 'slow_receiver', n)
        } else {
          if (view === null) to.push(d, start, end)
          else to.view(view)
          stats.sent.value += n
          to.holdFor(from)
        }
        continue
      }
      const outbox = target.session.outbox
      if (outbox instanceof MemoryOutbox && outbox.hasRoom(n) && !to.choked) {
        copyRun(to, outbox, d, start, end, qos, n)
        stats.sent.value += n
        to.holdFor(from)
        continue
      }
    }
    messages ??= parseRun(d, start, entry, qos, n, from.version)
    for (const message of messages) deliver(target, message, from)
  }
  if (peers.length === 0 && away.length === 0) return
  const processes = peersOf(entry.route, qos)
  if (processes.length === 0) return
  if (qos === 0) {
    for (const peer of processes) peer.run(d, start, end, n, from)
    return
  }
  messages ??= parseRun(d, start, entry, qos, n, from.version)
  for (const message of messages) deliverToPeers(entry.route, message, from)
}

function copyRun(
  to: Connection,
  outbox: MemoryOutbox,
  d: Buffer,
  start: number,
  end: number,
  qos: Qos,
  n: number,
): void {
  const at = to.reserve(end - start)
  const out = to.buffer
  if (end - start < 32) for (let i = start, o = at; i < end; i++, o++) out[o] = d[i]
  else d.copy(out, at, start, end)
  const shift = at - start
  const state = qos === 1 ? AWAIT_PUBACK : AWAIT_PUBREC
  for (let k = 0; k < n; k++) {
    const id = outbox.take(state)
    const idAt = packetOffsets[k] + shift
    out[idAt] = id >> 8
    out[idAt + 1] = id & 255
  }
}

/** The run's packets as messages, for receivers that need them encoded anew. */
function parseRun(
  d: Buffer,
  start: number,
  entry: TopicEntry,
  qos: Qos,
  n: number,
  version: number,
): Message[] {
  const messages = [] as Message[]
  let p = start
  for (let k = 0; k < n; k++) {
    let q = p + 1
    let length = 0
    for (let m = 1; ; m *= 128) {
      const byte = d[q++]
      length += (byte & 127) * m
      if (byte < 128) break
    }
    const body = packetOffsets[k] + (qos > 0 ? 2 : 0) + (version === 5 ? 1 : 0)
    p = q + length
    messages.push(new Message(entry.topic, d.subarray(body, p), qos, false, noProperties, 0))
  }
  return messages
}
