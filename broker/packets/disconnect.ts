import { PacketError } from './packet-error.ts'
import { PacketType, type ProtocolVersion } from './packet-type.ts'
import {
  decodeProperties,
  noProperties,
  propertiesSize,
  withLength,
  writeProperties,
  type Properties,
} from './properties.ts'
import { placeOf } from './property-table.ts'
import { Reader } from './reader.ts'
import { ReasonCode } from './reason-code.ts'
import { Writer } from './writer.ts'

export interface DisconnectPacket {
  /** 0 in 3.1.1. */
  reason: number
  properties: Properties
}

/** Table 3-10 of MQTT 5.0. */
const REASONS: ReadonlySet<number> = new Set([
  ReasonCode.Success,
  ReasonCode.DisconnectWithWill,
  ReasonCode.UnspecifiedError,
  ReasonCode.MalformedPacket,
  ReasonCode.ProtocolError,
  ReasonCode.ImplementationSpecificError,
  ReasonCode.NotAuthorized,
  ReasonCode.ServerBusy,
  ReasonCode.ServerShuttingDown,
  ReasonCode.BadAuthenticationMethod,
  ReasonCode.KeepAliveTimeout,
  ReasonCode.SessionTakenOver,
  ReasonCode.TopicFilterInvalid,
  ReasonCode.TopicNameInvalid,
  ReasonCode.ReceiveMaximumExceeded,
  ReasonCode.TopicAliasInvalid,
  ReasonCode.PacketTooLarge,
  ReasonCode.MessageRateTooHigh,
  ReasonCode.QuotaExceeded,
  ReasonCode.AdministrativeAction,
  ReasonCode.PayloadFormatInvalid,
  ReasonCode.RetainNotSupported,
  ReasonCode.QosNotSupported,
  ReasonCode.UseAnotherServer,
  ReasonCode.ServerMoved,
  ReasonCode.SharedSubscriptionsNotSupported,
  ReasonCode.ConnectionRateExceeded,
  ReasonCode.MaximumConnectTime,
  ReasonCode.SubscriptionIdentifiersNotSupported,
  ReasonCode.WildcardSubscriptionsNotSupported,
])

/** Decodes the body [from, to) of a DISCONNECT (3.14). */
export function decodeDisconnect(
  buf: Buffer,
  from: number,
  to: number,
  version: ProtocolVersion,
): DisconnectPacket {
  const reader = new Reader(buf, from, to)
  let reason = 0
  let properties = noProperties
  if (version === 5 && !reader.done) {
    reason = reader.u8()
    if (!REASONS.has(reason)) {
      throw new PacketError(
        ReasonCode.ProtocolError,
        'MQTT-3.14.2-1',
        `DISCONNECT reason 0x${reason.toString(16)}`,
      )
    }
    if (!reader.done) properties = decodeProperties(reader, placeOf(PacketType.DISCONNECT)) // may be left out (3.14.2.2.1)
  }
  reader.finish('3.14.3')
  return { reason, properties }
}

/** Encodes a DISCONNECT, without reason and properties where they say nothing (3.14.2.1). */
export function encodeDisconnect(reason: number, properties: Properties, version: ProtocolVersion): Buffer {
  const length = version === 5 ? propertiesSize(properties) : 0
  const withReason = version === 5 && (reason !== 0 || length > 0)
  const writer = new Writer(
    PacketType.DISCONNECT,
    0,
    (withReason ? 1 : 0) + (length > 0 ? withLength(length) : 0),
  )
  if (withReason) writer.u8(reason)
  if (length > 0) writeProperties(writer, properties, length)
  return writer.buf
}
