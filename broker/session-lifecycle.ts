import type { Broker } from './broker.ts'
import type { Connection } from './connection.ts'
import { deliverShared } from './deliver.ts'
import { Message } from './message.ts'
import type { RemoteSession } from './cluster/remote-session.ts'
import { DurableOutbox, type SharedStored } from './outbox/durable-outbox.ts'
import { ReasonCode } from './packets/reason-code.ts'
import { MemoryOutbox } from './outbox/memory-outbox.ts'
import { willStream } from './outbox/stream-writer.ts'
import { NEVER, type Session } from './session.ts'
import { parseFilter } from './topics.ts'

/** Messages of an ended session that are read at once, to be given to other members of its shared groups. */
const REDISPATCH = 1000

/** What happens to a session when its connection ends, when its time is over, and to its will. */
export class SessionLifecycle {
  readonly #broker: Broker

  constructor(broker: Broker) {
    this.#broker = broker
  }

  /** The network connection has ended: the session goes on without it, or ends [MQTT-3.1.2-23]. */
  connectionGone(connection: Connection): void {
    this.#broker.connections.delete(connection)
    connection.space?.disk.forget(connection)
    this.#broker.admission.closed()
    const { session } = connection
    if (session === null) return
    this.#broker.log.debug(
      {
        event: 'client.disconnected',
        org: session.space.org,
        client: session.clientId,
        detail: connection.cause ?? 'connection closed',
      },
      'client disconnected',
    )
    if (session.claimant === connection) {
      session.claimant = null
      session.will = null // its CONNECT was never accepted [MQTT-3.1.2-7]
    } else if (session.connection === connection) {
      this.#broker.watcher?.closed(connection, session)
      if (connection.traced)
        this.#broker.trace.packet(
          connection,
          'state',
          `disconnected: ${connection.cause ?? 'connection closed'}`,
        )
      session.connection = null
      session.outbox.detach()
      if (session.outbox instanceof DurableOutbox) this.#broker.cell?.scrubber.detached(session.outbox)
    } else return
    if (session.ended) return
    if (session.released) {
      // [MQTT-3.1.4-3], 3.1.2.5: without a delay the end of the connection publishes it, a takeover included.
      if (session.will?.delay === 0 && !connection.willDiscarded) this.#publishWill(session)
      return
    }
    // [MQTT-3.1.2-8], [MQTT-3.1.2-10]
    if (connection.willDiscarded) session.will = null
    if (this.#broker.draining) {
      if (session.durable || session.will !== null) this.#broker.sessionStore.save(session, 'drained')
      else session.space.sessions.delete(session.clientId)
      return
    }
    if (session.expiry === 0) {
      this.end(session, 'connection closed')
      return
    }
    this.#broker.sessionStore.save(session, 'ended')
    if (session.will !== null) {
      if (session.will.delay === 0) this.#publishWill(session)
      else this.scheduleWill(session, Math.min(session.will.delay, session.expiry))
    }
    if (session.expiry !== NEVER) this.scheduleExpiry(session, session.expiry)
  }

  /** Ends a session and forgets all it had; its will is published now [MQTT-3.1.3-9 and 3.1.2.5]. */
  end(session: Session, reason: string): void {
    if (session.ended) return
    if (session.will !== null) this.#publishWill(session)
    session.ended = true
    this.cancelTimers(session)
    const { space } = session
    if (space.sessions.get(session.clientId) === session) space.sessions.delete(session.clientId)
    let shared = false
    for (const s of session.subscriptions()) {
      shared ||= s.group !== null
      space.router.remove(s)
    }
    if (shared) this.remove(session)
    else if (session.sid.length > 0) this.#broker.sessionStore.remove(session)
    if (reason !== 'expired') return
    this.#broker.stats.sessionsExpired.value++
    this.#broker.log.debug(
      { event: 'session.expired', org: space.org, client: session.clientId },
      'session expired',
    )
  }

  /**
   * Another process has the session's client now. What the holder knew goes there by its answer to the gather; nothing of it is
   * saved here any more.
   */
  release(session: Session): void {
    if (session.released) return
    session.released = true
    this.cancelTimers(session)
    this.#broker.stats.takeovers.value++
    session.claimant?.disconnect(ReasonCode.SessionTakenOver, 'another connection took the session over')
    session.connection?.disconnect(ReasonCode.SessionTakenOver, 'another connection took the session over')
  }

  /** A session that was held here has ended by another process's decision: its will is published now [MQTT-3.1.3-9]. */
  overElsewhere(session: Session): void {
    this.cancelTimers(session)
    if (session.will !== null) this.#publishWill(session)
    session.ended = true
  }

  /** A session that nobody holds, or that another process holds whose end this one has decided on: it ends. */
  endAway(away: RemoteSession): void {
    const { broker, space } = { broker: this.#broker, space: away.space }
    space.away.delete(away.clientId)
    for (const s of away.subscriptions()) space.router.remove(s)
    broker.sessionStore.removeAway(away)
  }

  /** Removes all that an ended session had; what it has not acknowledged of shared subscriptions goes to others (4.8.2). */
  remove(session: Session): void {
    session.ended = true
    const { outbox, space } = session
    if (outbox instanceof MemoryOutbox) {
      for (const { group, out } of outbox.unsettledShared()) deliverShared(group, out.message, null)
      if (session.sid.length > 0) this.#broker.sessionStore.remove(session)
      return
    }
    if (!(outbox instanceof DurableOutbox)) return
    const pass = ({ share, out }: SharedStored): void => {
      const { match, group: name } = parseFilter(share, null)
      const group = name === null ? undefined : space.router.group(name, match)
      if (group === undefined) this.#broker.stats.dropped.sessionEnded.value++
      else deliverShared(group, out.message, null)
    }
    outbox.unsettledShared(REDISPATCH, pass).then(
      (end) => {
        if (end) this.#broker.sessionStore.remove(session)
        else this.remove(session)
      },
      (error: unknown) =>
        this.#broker.log.error(
          { event: 'session.end_failed', client: session.clientId, err: error },
          'cannot read an ended session',
        ),
    )
  }

  scheduleExpiry(session: Session, seconds: number): void {
    session.expiryTick = this.#broker.wheel.after(seconds * 1000, session)
  }

  scheduleWill(session: Session, seconds: number): void {
    const item = {
      due: () => {
        session.willTimer = null
        session.willGrace = false
        if (session.connection === null && session.will !== null) this.#publishWill(session)
      },
    }
    session.willTimer = { tick: this.#broker.wheel.after(seconds * 1000, item), item }
  }

  /** Nothing waits for this session's end any more. */
  cancelTimers(session: Session): void {
    if (session.expiryTick !== 0) this.#broker.wheel.cancel(session.expiryTick, session)
    session.expiryTick = 0
    if (session.willTimer !== null) this.#broker.wheel.cancel(session.willTimer.tick, session.willTimer.item)
    session.willTimer = null
  }

  discardWill(session: Session): void {
    session.will = null
    session.willGrace = false
  }

  #publishWill(session: Session): void {
    const will = session.will
    if (will === null) return
    session.will = null
    this.#broker.stats.willsPublished.value++
    const { message } = will
    const expiresAt = this.#broker.expiresAt(message.properties.messageExpiryInterval)
    const { topic, payload, qos, retain, properties } = message
    const published = new Message(topic, payload, qos, retain, properties, expiresAt)
    // If another process has published it too, the copies fall together.
    if (qos === 2 && session.sid.length > 0 && this.#broker.thoughtDead)
      published.stream = { writer: willStream(session.sid, session.epoch), seq: 1 }
    this.#broker.publish(session.space, published)
    if (session.durable && !session.ended && !session.released)
      this.#broker.sessionStore.save(session, session.connection === null ? 'ended' : 'connected')
  }
}
