import type { Connection } from '../connection.ts'
import { ReasonCode } from '../packets/reason-code.ts'
import { encodeUnsuback } from '../packets/unsuback.ts'
import { decodeUnsubscribe } from '../packets/unsubscribe.ts'
import { isValidFilter } from '../packets/topic.ts'
import { noProperties } from '../packets/properties.ts'
import { PacketError } from '../packets/packet-error.ts'
import type { Session } from '../session.ts'

/** UNSUBSCRIBE: filters compared character by character [MQTT-3.10.4-1]; answered when it is on disk. */
export function handleUnsubscribe(connection: Connection, d: Buffer, from: number, to: number): void {
  const { broker, version } = connection
  const packet = decodeUnsubscribe(d, from, to, version)
  const session = connection.session as Session
  let staged = false
  const reasons = packet.filters.map((filter) => {
    const s = session.subscription(filter)
    if (s === undefined) {
      if (isValidFilter(filter)) return ReasonCode.NoSubscriptionExisted
      if (version === 4)
        throw new PacketError(
          ReasonCode.TopicFilterInvalid,
          'MQTT-4.7.1-1',
          'UNSUBSCRIBE with an invalid topic filter',
        )
      return ReasonCode.TopicFilterInvalid
    }
    session.removeSubscription(s)
    session.space.router.remove(s)
    if (session.durable) {
      broker.sessionStore.removeSubscription(s)
      staged = true
    }
    return ReasonCode.Success
  })
  const answer = encodeUnsuback(packet.packetId, reasons, noProperties, version)
  broker.whenPromised(session.space, staged, () => connection.send(answer))
  session.space.disk.holdIfBehind(connection)
}
