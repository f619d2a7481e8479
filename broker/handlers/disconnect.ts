import { type Connection, Phase } from '../connection.ts'
import { decodeDisconnect } from '../packets/disconnect.ts'
import { PacketError } from '../packets/packet-error.ts'
import { ReasonCode } from '../packets/reason-code.ts'

/** DISCONNECT from the client (3.14): the only end of a connection that discards the will. */
export function handleDisconnect(connection: Connection, d: Buffer, from: number, to: number): void {
  const { reason, properties } = decodeDisconnect(d, from, to, connection.version)
  const { session } = connection
  if (connection.phase === Phase.OPEN && session !== null && properties.sessionExpiryInterval !== undefined) {
    // 3.14.2.2.2: a session that was to end with its connection cannot be kept after all.
    if (session.expiry === 0 && properties.sessionExpiryInterval !== 0) {
      throw new PacketError(
        ReasonCode.ProtocolError,
        '3.14.2.2.2',
        'a session expiry interval in DISCONNECT after 0 in CONNECT',
      )
    }
    session.expiry = Math.min(
      properties.sessionExpiryInterval,
      connection.broker.config.mqtt.session_expiry_maximum,
    )
  }
  // [MQTT-3.14.4-3]; any other reason, 0x04 first of all, wants the will
  connection.willDiscarded = reason === ReasonCode.Success
  connection.endReason = connection.willDiscarded ? 'client_disconnected' : 'client_disconnected_with_will'
  connection.close('client disconnected') // [MQTT-3.14.4-1], [MQTT-3.14.4-2]
}
