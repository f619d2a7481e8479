import type { Presence } from '#platform/presence/presence.ts'
import type { Broker, ConnectionWatcher } from './broker.ts'
import type { Connection } from './connection.ts'
import { PresenceDuty } from './cluster/presence-duty.ts'
import { clientOf } from './device-client.ts'
import type { Session } from './session.ts'

/** Tells the platform which devices connect to this broker. */
export class PresenceLink implements ConnectionWatcher {
  readonly #presence: Presence

  private constructor(presence: Presence) {
    this.#presence = presence
  }

  /** Before the broker is started. */
  static join(broker: Broker, presence: Presence): void {
    broker.watcher = new PresenceLink(presence)
    const { cell } = broker
    broker.onStarted = () => {
      const place = { process: cell?.info.name ?? null, dc: cell?.info.dc ?? null }
      const duty = cell === null ? null : new PresenceDuty(cell, presence)
      presence.start({ id: broker.writer, ...place }, duty)
      if (cell !== null && duty !== null) cell.parts.push(duty)
      else sweepAlone(broker, presence)
    }
  }

  opened(connection: Connection, session: Session): void {
    const client = clientOf(connection, session)
    if (client !== null) this.#presence.connected(client)
  }

  closed(connection: Connection, session: Session): void {
    const client = clientOf(connection, session)
    if (client !== null) this.#presence.disconnected(client, connection.endReason ?? 'connection_lost')
  }
}

/** Whoever had connections here before is gone: this is the only process. */
function sweepAlone(broker: Broker, presence: Presence): void {
  const own = Buffer.from(broker.writer)
  presence
    .sweep(
      (holder) => Buffer.compare(holder, own) !== 0,
      // The clock may have been set back: new connections are newer all the same.
      (epoch) => broker.hlc.see(epoch),
    )
    .catch((error: unknown) => {
      // Who reads sees them as not connected all the same; only their history lacks it.
      broker.log.warn({ event: 'presence.sweep_failed', err: error }, 'presence not tidied up')
    })
}
