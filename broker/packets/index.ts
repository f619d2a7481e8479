export { decodeAck, encodeAck, type AckPacket, type AckType } from './ack.ts'
export { decodeAuth, encodeAuth, type AuthPacket } from './auth.ts'
export { decodeConnack, encodeConnack, type ConnackPacket } from './connack.ts'
export { connectLevel, decodeConnect, encodeConnect, type ConnectPacket, type Will } from './connect.ts'
export { decodeDisconnect, encodeDisconnect, type DisconnectPacket } from './disconnect.ts'
export {
  checkFlags,
  decodeRemainingLength,
  MAX_VARIABLE_BYTE_INTEGER,
  remainingLengthBytes,
} from './fixed-header.ts'
export { PacketError } from './packet-error.ts'
export { PacketType, type ProtocolVersion } from './packet-type.ts'
export { decodePing, PINGREQ, PINGRESP } from './ping.ts'
export { noProperties, type Properties } from './properties.ts'
export { decodePublish, encodePublish, type PublishPacket } from './publish.ts'
export { connackReturnCode, ReasonCode, reasonName } from './reason-code.ts'
export { decodeSuback, encodeSuback, type SubackPacket } from './suback.ts'
export { decodeSubscribe, encodeSubscribe, type SubscribePacket } from './subscribe.ts'
export {
  isValidFilter,
  isValidTopicBytes,
  isValidTopicName,
  matches,
  parseShare,
  topicLevels,
} from './topic.ts'
export { decodeUnsuback, encodeUnsuback, type UnsubackPacket } from './unsuback.ts'
export { decodeUnsubscribe, encodeUnsubscribe, type UnsubscribePacket } from './unsubscribe.ts'
export { isWellFormedUtf8, readString } from './utf8.ts'
