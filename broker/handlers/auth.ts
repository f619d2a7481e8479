import { type Connection, Phase } from '../connection.ts'
import { SCRAM_SHA_256, ScramExchange } from '../enhanced-auth.ts'
import { decodeAuth, encodeAuth } from '../packets/auth.ts'
import { PacketError } from '../packets/packet-error.ts'
import { ReasonCode } from '../packets/reason-code.ts'
import { continueAuthentication } from './connect.ts'

/** AUTH (3.15): the next message of an exchange, or the first of a re-authentication (4.12.1). */
export function handleAuth(connection: Connection, d: Buffer, from: number, to: number): void {
  if (connection.version === 4)
    throw new PacketError(ReasonCode.ProtocolError, '2.1.2', 'AUTH is not a packet of 3.1.1')
  const { reason, properties } = decodeAuth(d, from, to)
  const data = properties.authenticationData ?? Buffer.alloc(0)
  const { attempt } = connection
  if (connection.phase === Phase.AUTHENTICATING && attempt !== null) {
    if (reason !== ReasonCode.ContinueAuthentication || properties.authenticationMethod !== SCRAM_SHA_256) {
      throw new PacketError(
        ReasonCode.ProtocolError,
        'MQTT-4.12.0-3',
        'AUTH must continue with the same method',
      )
    }
    continueAuthentication(connection, attempt, data)
    return
  }
  reauthenticate(connection, reason, properties.authenticationMethod, data)
}

/** [MQTT-4.12.1-1], [MQTT-4.12.1-2]: only with CONNECT's method; a failure ends the connection. */
function reauthenticate(
  connection: Connection,
  reason: number,
  method: string | undefined,
  data: Buffer,
): void {
  if (!connection.enhanced || method !== SCRAM_SHA_256) {
    throw new PacketError(ReasonCode.ProtocolError, 'MQTT-4.12.1-1', 'AUTH with another method than CONNECT')
  }
  const starts = reason === ReasonCode.Reauthenticate
  if (starts === (connection.exchange !== null)) {
    throw new PacketError(
      ReasonCode.ProtocolError,
      '4.12.1',
      starts ? 'a re-authentication is under way' : 'AUTH out of turn',
    )
  }
  const exchange = (connection.exchange ??= new ScramExchange(connection.broker.authenticator))
  const step = starts ? exchange.start(data) : exchange.next(data)
  step.then(
    (result) => {
      if (connection.phase !== Phase.OPEN) return
      if (result.status === 'failed') connection.fail(result.reason, result.explanation)
      else if (result.status === 'success' && result.username !== connection.principal?.username) {
        connection.fail(ReasonCode.NotAuthorized, 're-authentication as another user')
      } else {
        const done = result.status === 'success'
        if (done) connection.exchange = null
        connection.send(
          encodeAuth(done ? ReasonCode.Success : ReasonCode.ContinueAuthentication, {
            authenticationMethod: SCRAM_SHA_256,
            authenticationData: result.data,
          }),
        )
      }
    },
    () => connection.fail(ReasonCode.ServerBusy, 'try again later'),
  )
}
