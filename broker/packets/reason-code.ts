/** MQTT 5 reason codes (2.4). 0x80 and above are failures. */
export const ReasonCode = {
  Success: 0x00,
  GrantedQos0: 0x00,
  GrantedQos1: 0x01,
  GrantedQos2: 0x02,
  DisconnectWithWill: 0x04,
  NoMatchingSubscribers: 0x10,
  NoSubscriptionExisted: 0x11,
  ContinueAuthentication: 0x18,
  Reauthenticate: 0x19,
  UnspecifiedError: 0x80,
  MalformedPacket: 0x81,
  ProtocolError: 0x82,
  ImplementationSpecificError: 0x83,
  UnsupportedProtocolVersion: 0x84,
  ClientIdentifierNotValid: 0x85,
  BadUserNameOrPassword: 0x86,
  NotAuthorized: 0x87,
  ServerUnavailable: 0x88,
  ServerBusy: 0x89,
  Banned: 0x8a,
  ServerShuttingDown: 0x8b,
  BadAuthenticationMethod: 0x8c,
  KeepAliveTimeout: 0x8d,
  SessionTakenOver: 0x8e,
  TopicFilterInvalid: 0x8f,
  TopicNameInvalid: 0x90,
  PacketIdentifierInUse: 0x91,
  PacketIdentifierNotFound: 0x92,
  ReceiveMaximumExceeded: 0x93,
  TopicAliasInvalid: 0x94,
  PacketTooLarge: 0x95,
  MessageRateTooHigh: 0x96,
  QuotaExceeded: 0x97,
  AdministrativeAction: 0x98,
  PayloadFormatInvalid: 0x99,
  RetainNotSupported: 0x9a,
  QosNotSupported: 0x9b,
  UseAnotherServer: 0x9c,
  ServerMoved: 0x9d,
  SharedSubscriptionsNotSupported: 0x9e,
  ConnectionRateExceeded: 0x9f,
  MaximumConnectTime: 0xa0,
  SubscriptionIdentifiersNotSupported: 0xa1,
  WildcardSubscriptionsNotSupported: 0xa2,
} as const

export type ReasonCode = (typeof ReasonCode)[keyof typeof ReasonCode]

const names = new Map<number, string>()
for (const [key, code] of Object.entries(ReasonCode)) {
  if (names.has(code)) continue // Success and GrantedQos0 share 0x00
  const words = key.replace(/([a-z])([A-Z0-9])/g, '$1 $2').toLowerCase()
  names.set(code, (words[0].toUpperCase() + words.slice(1)).replace(/\bqos\b/i, 'QoS'))
}

/** A reason code in words, for logs and reason strings: `Not authorized`. */
export function reasonName(code: number): string {
  return names.get(code) ?? `Reason 0x${code.toString(16).padStart(2, '0')}`
}

/** CONNACK return codes of 3.1.1 (table 3.1) and the reason code that each means. */
export const returnCodeReasons = [
  ReasonCode.Success,
  ReasonCode.UnsupportedProtocolVersion,
  ReasonCode.ClientIdentifierNotValid,
  ReasonCode.ServerUnavailable,
  ReasonCode.BadUserNameOrPassword,
  ReasonCode.NotAuthorized,
] as const

/**
 * The 3.1.1 CONNACK return code (0 to 5) nearest to a reason code. A CONNECT that is malformed gets no CONNACK at
 * all in 3.1.1 [MQTT-3.1.4-1], so those reasons have no code of their own and fall to 3, server unavailable.
 */
export function connackReturnCode(reason: number): number {
  switch (reason) {
    case ReasonCode.Success:
      return 0
    case ReasonCode.UnsupportedProtocolVersion:
      return 1
    case ReasonCode.ClientIdentifierNotValid:
      return 2
    case ReasonCode.BadUserNameOrPassword:
    case ReasonCode.BadAuthenticationMethod:
      return 4
    case ReasonCode.NotAuthorized:
    case ReasonCode.Banned:
    case ReasonCode.TopicNameInvalid:
    case ReasonCode.PacketTooLarge:
    case ReasonCode.PayloadFormatInvalid:
    case ReasonCode.RetainNotSupported:
    case ReasonCode.QosNotSupported:
      return 5
    default:
      return 3
  }
}
