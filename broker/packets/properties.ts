import { remainingLengthBytes } from './fixed-header.ts'
import { PacketError } from './packet-error.ts'
import { PacketType } from './packet-type.ts'
import { placeOf, propertyDefinitions, ValueType, type PropertyDefinition } from './property-table.ts'
import type { Reader } from './reader.ts'
import { ReasonCode } from './reason-code.ts'
import { isValidTopicName } from './topic.ts'
import { binarySize, stringSize, type Writer } from './writer.ts'

/** The properties of MQTT 5.0 (2.2.2.2). Absent ones are absent keys. Intervals are in seconds, sizes in bytes. */
export interface Properties {
  /** 1: the payload is UTF-8. */
  payloadFormatIndicator?: number
  messageExpiryInterval?: number
  contentType?: string
  responseTopic?: string
  correlationData?: Buffer
  /** At most one in SUBSCRIBE; in PUBLISH towards a client one for each matching subscription that has one. */
  subscriptionIdentifiers?: number[]
  sessionExpiryInterval?: number
  assignedClientIdentifier?: string
  serverKeepAlive?: number
  authenticationMethod?: string
  authenticationData?: Buffer
  requestProblemInformation?: boolean
  willDelayInterval?: number
  requestResponseInformation?: boolean
  responseInformation?: string
  serverReference?: string
  reasonString?: string
  receiveMaximum?: number
  topicAliasMaximum?: number
  topicAlias?: number
  maximumQos?: number
  retainAvailable?: boolean
  /** Name and value, in the order they came [MQTT-3.3.2-18]. */
  userProperties?: [string, string][]
  maximumPacketSize?: number
  wildcardSubscriptionAvailable?: boolean
  subscriptionIdentifiersAvailable?: boolean
  sharedSubscriptionAvailable?: boolean
}

/** The properties of every packet that has none; frozen. */
export const noProperties: Properties = Object.freeze({})

const byId: (PropertyDefinition | undefined)[] = []
const byName = new Map<string, PropertyDefinition>()
for (const definition of propertyDefinitions) {
  byId[definition.id] = definition
  byName.set(definition.name, definition)
}

/**
 * Reads the property length and the properties behind it, of the packet type or WILL whose bit is `place`.
 * Throws PacketError: malformed for an unknown identifier or one that is not allowed there (2.2.2.2), protocol error
 * for a second value where one is allowed and for values out of range.
 */
export function decodeProperties(reader: Reader, place: number): Properties {
  const length = reader.variableByteInteger()
  if (length === 0) return noProperties
  const packetEnd = reader.end
  const end = reader.at + length
  if (end > packetEnd) {
    throw new PacketError(ReasonCode.MalformedPacket, '2.2.2.1', 'the property length exceeds the packet')
  }
  reader.end = end // no property may reach into what follows
  const values: Record<string, unknown> = {}
  while (!reader.done) decodeProperty(reader, place, values)
  reader.end = packetEnd
  const properties: Properties = values
  checkTogether(properties)
  return properties
}

function decodeProperty(reader: Reader, place: number, values: Record<string, unknown>): void {
  const id = reader.u8() // a variable byte integer, but all that are defined are below 0x80
  const definition = byId[id]
  if (definition === undefined || (definition.places & place) === 0) {
    throw new PacketError(
      ReasonCode.MalformedPacket,
      '2.2.2.2',
      `property 0x${id.toString(16)} ${definition === undefined ? 'is unknown' : 'is not allowed here'}`,
    )
  }
  const name = definition.name
  const value = readValue(reader, definition)
  const before = values[name]
  if (before === undefined) {
    values[name] = definition.repeats ? [value] : value
  } else if (Array.isArray(before) && !isSecondSubscribeIdentifier(definition, place)) {
    before.push(value)
  } else {
    throw new PacketError(ReasonCode.ProtocolError, definition.clause, `property ${name} stands twice`)
  }
}

/** SUBSCRIBE may carry one subscription identifier, PUBLISH several (3.8.2.1.2, 3.3.2.3.8). */
function isSecondSubscribeIdentifier(definition: PropertyDefinition, place: number): boolean {
  return definition.name === 'subscriptionIdentifiers' && place === placeOf(PacketType.SUBSCRIBE)
}

function readValue(reader: Reader, definition: PropertyDefinition): unknown {
  switch (definition.type) {
    case ValueType.BYTE:
      return inRange(reader.u8(), definition)
    case ValueType.BOOLEAN:
      return inRange(reader.u8(), definition) === 1
    case ValueType.TWO_BYTES:
      return inRange(reader.u16(), definition)
    case ValueType.FOUR_BYTES:
      return inRange(reader.u32(), definition)
    case ValueType.VARIABLE_BYTE_INTEGER:
      return inRange(reader.variableByteInteger(), definition)
    case ValueType.STRING:
      return reader.string()
    case ValueType.BINARY:
      return reader.binary()
    default:
      return [reader.string(), reader.string()] // [MQTT-1.5.7-1]
  }
}

function inRange(value: number, definition: PropertyDefinition): number {
  if (value < definition.min || value > definition.max) {
    throw new PacketError(
      definition.rangeReason,
      definition.clause,
      `property ${definition.name} is out of range: ${value}`,
    )
  }
  return value
}

function checkTogether(properties: Properties): void {
  if (properties.responseTopic !== undefined && !isValidTopicName(properties.responseTopic)) {
    throw new PacketError(
      ReasonCode.ProtocolError,
      'MQTT-3.3.2-14',
      'the response topic is empty or holds a wildcard',
    )
  }
  if (properties.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw new PacketError(
      ReasonCode.ProtocolError,
      '3.1.2.11.10',
      'authentication data without authentication method',
    )
  }
}

/** Bytes that the properties take, without the property length. */
export function propertiesSize(properties: Properties): number {
  let size = 0
  if (properties !== noProperties)
    forEachValue(properties, (definition, value) => (size += valueSize(definition, value)))
  return size
}

/** Bytes that the properties take together with the property length; `size` is from propertiesSize. */
export function withLength(size: number): number {
  return remainingLengthBytes(size) + size
}

/** Writes the property length and the properties; `size` is from propertiesSize. */
export function writeProperties(writer: Writer, properties: Properties, size: number): void {
  writer.variableByteInteger(size) // 0 if there are none [MQTT-2.2.2-1]
  if (size > 0) forEachValue(properties, (definition, value) => writeValue(writer, definition, value))
}

function forEachValue(
  properties: Properties,
  visit: (definition: PropertyDefinition, value: unknown) => void,
): void {
  const entries: [string, unknown][] = Object.entries(properties)
  for (const [name, value] of entries) {
    if (value === undefined) continue
    const definition = byName.get(name)
    if (definition === undefined) throw new TypeError(`no such property: ${name}`)
    if (definition.repeats && Array.isArray(value)) for (const one of value) visit(definition, one)
    else visit(definition, value)
  }
}

function valueSize(definition: PropertyDefinition, value: unknown): number {
  switch (definition.type) {
    case ValueType.BYTE:
    case ValueType.BOOLEAN:
      return 2
    case ValueType.TWO_BYTES:
      return 3
    case ValueType.FOUR_BYTES:
      return 5
    case ValueType.VARIABLE_BYTE_INTEGER:
      return 1 + remainingLengthBytes(number(definition, value))
    case ValueType.STRING:
      return 1 + stringSize(string(definition, value))
    case ValueType.BINARY:
      return 1 + binarySize(binary(definition, value))
    default: {
      const [first, second] = pair(definition, value)
      return 1 + stringSize(first) + stringSize(second)
    }
  }
}

function writeValue(writer: Writer, definition: PropertyDefinition, value: unknown): void {
  writer.u8(definition.id)
  switch (definition.type) {
    case ValueType.BYTE:
      return writer.u8(number(definition, value))
    case ValueType.BOOLEAN:
      return writer.u8(value === true ? 1 : 0)
    case ValueType.TWO_BYTES:
      return writer.u16(number(definition, value))
    case ValueType.FOUR_BYTES:
      return writer.u32(number(definition, value))
    case ValueType.VARIABLE_BYTE_INTEGER:
      return writer.variableByteInteger(number(definition, value))
    case ValueType.STRING:
      return writer.string(string(definition, value))
    case ValueType.BINARY:
      return writer.binary(binary(definition, value))
    default: {
      const [first, second] = pair(definition, value)
      writer.string(first)
      return writer.string(second)
    }
  }
}

function number(definition: PropertyDefinition, value: unknown): number {
  if (typeof value !== 'number') throw wrongType(definition, 'a number')
  return value
}

function string(definition: PropertyDefinition, value: unknown): string {
  if (typeof value !== 'string') throw wrongType(definition, 'a string')
  return value
}

function binary(definition: PropertyDefinition, value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) throw wrongType(definition, 'bytes')
  return value
}

function pair(definition: PropertyDefinition, value: unknown): [string, string] {
  if (!Array.isArray(value) || value.length !== 2) throw wrongType(definition, 'pairs of strings')
  return [string(definition, value[0]), string(definition, value[1])]
}

function wrongType(definition: PropertyDefinition, expected: string): TypeError {
  return new TypeError(`property ${definition.name} must be ${expected}`)
}
