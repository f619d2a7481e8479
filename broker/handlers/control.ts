import { type Connection, Phase } from '../connection.ts'
import { decodeAck } from '../packets/ack.ts'
import { checkFlags } from '../packets/fixed-header.ts'
import { PacketError } from '../packets/packet-error.ts'
import { PacketType } from '../packets/packet-type.ts'
import { decodePing, PINGRESP } from '../packets/ping.ts'
import { ReasonCode } from '../packets/reason-code.ts'
import type { Session } from '../session.ts'
import { handleAuth } from './auth.ts'
import { handleConnect } from './connect.ts'
import { handleDisconnect } from './disconnect.ts'
import { handlePubrel } from './pubrel.ts'
import { handleSubscribe } from './subscribe.ts'
import { handleUnsubscribe } from './unsubscribe.ts'

const names = Object.entries(PacketType)

function packetName(type: number): string {
  return names.find(([, value]) => value === type)?.[0] ?? `packet type ${type}`
}

/** Every packet but PUBLISH and the plain PUBACK, which `Connection` sees itself. Throws PacketError. */
export function handleControl(
  connection: Connection,
  first: number,
  d: Buffer,
  from: number,
  to: number,
): void {
  const type = first >> 4
  const { broker, phase, version } = connection
  broker.stats.packetsIn.value++
  checkFlags(type, first & 15)
  if (connection.traced) broker.trace.packet(connection, 'in', packetName(type))
  if (phase === Phase.NEW) {
    if (type === PacketType.CONNECT) handleConnect(connection, d, from, to)
    else throw new PacketError(ReasonCode.ProtocolError, 'MQTT-3.1.0-1', 'the first packet is not CONNECT')
    return
  }
  if (phase === Phase.AUTHENTICATING) {
    if (type === PacketType.AUTH) handleAuth(connection, d, from, to)
    else if (type === PacketType.DISCONNECT) handleDisconnect(connection, d, from, to)
    else
      throw new PacketError(
        ReasonCode.ProtocolError,
        'MQTT-3.1.2-30',
        'only AUTH or DISCONNECT may come before CONNACK',
      )
    return
  }
  const { outbox } = connection.session as Session
  switch (type) {
    case PacketType.PUBACK: {
      const ack = decodeAck(type, d, from, to, version)
      outbox.acknowledged(ack.packetId, ack.reason >= 0x80)
      return
    }
    case PacketType.PUBREC: {
      const ack = decodeAck(type, d, from, to, version)
      outbox.received(ack.packetId, ack.reason >= 0x80)
      return
    }
    case PacketType.PUBREL: {
      handlePubrel(connection, decodeAck(type, d, from, to, version).packetId)
      return
    }
    case PacketType.PUBCOMP: {
      outbox.completed(decodeAck(type, d, from, to, version).packetId)
      return
    }
    case PacketType.SUBSCRIBE: {
      handleSubscribe(connection, d, from, to)
      return
    }
    case PacketType.UNSUBSCRIBE: {
      handleUnsubscribe(connection, d, from, to)
      return
    }
    case PacketType.PINGREQ: {
      decodePing(from, to)
      connection.send(PINGRESP) // [MQTT-3.12.4-1]
      return
    }
    case PacketType.DISCONNECT: {
      handleDisconnect(connection, d, from, to)
      return
    }
    case PacketType.AUTH: {
      handleAuth(connection, d, from, to)
      return
    }
    case PacketType.CONNECT:
      throw new PacketError(ReasonCode.ProtocolError, 'MQTT-3.1.0-2', 'a second CONNECT')
    default:
      throw new PacketError(
        ReasonCode.ProtocolError,
        '2.1.2',
        `packet type ${type} is not for a client to send`,
      )
  }
}
