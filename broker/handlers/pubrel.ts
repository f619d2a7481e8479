import type { Connection } from '../connection.ts'
import { DurableOutbox } from '../outbox/durable-outbox.ts'
import { ReasonCode } from '../packets/reason-code.ts'
import type { Session } from '../session.ts'

const PUBCOMP = 0x70

/** PUBREL: the identifier may be used again, which is on disk before PUBCOMP says so [MQTT-4.3.3-11]. */
export function handlePubrel(connection: Connection, packetId: number): void {
  const session = connection.session as Session
  const { outbox, space } = session
  if (outbox instanceof DurableOutbox) {
    const known = outbox.inbound.delete(packetId)
    if (known) outbox.requestSave()
    connection.acknowledge(
      PUBCOMP,
      packetId,
      known ? 0 : ReasonCode.PacketIdentifierNotFound,
      known ? space.commit.ticket : 0,
    )
    space.disk.holdIfBehind(connection)
    return
  }
  const known = session.inbound?.delete(packetId) ?? false
  if (known) connection.acknowledge(PUBCOMP, packetId, 0, 0)
  else connection.acknowledge(PUBCOMP, packetId, ReasonCode.PacketIdentifierNotFound, 0)
}
