import { encodeFor, type Image, type Outgoing, type Version } from './message.ts'
import { Output } from './output.ts'
import { encodeAck } from './packets/ack.ts'
import { PacketType } from './packets/packet-type.ts'
import { noProperties } from './packets/properties.ts'
import { ReasonCode } from './packets/reason-code.ts'

/** Packets towards one client, in its version and within its limits. */
export class PacketWriter extends Output {
  version: Version = 4
  /** Largest packet the client takes; 0: any [MQTT-3.1.2-24]. */
  maximumPacketSize = 0
  /** Most aliases the client allows the broker to use. */
  aliasesMaximum = 0
  #aliases: Map<string, number> | null = null

  /** Writes one whole packet. */
  send(packet: Buffer): void {
    this.push(packet, 0, packet.length)
  }

  /** PUBACK, PUBREC or PUBCOMP; `first` is the packet's first byte. 3.1.1 has no reasons. */
  sendAck(first: number, packetId: number, reason: number): void {
    if (reason === 0 || this.version === 4) this.ack(first, packetId)
    else this.send(encodeAck((first >> 4) as 4, packetId, reason, noProperties, 5))
  }

  /** PUBREL; `known`: whether the identifier is in use. */
  sendPubrel(packetId: number, known: boolean): void {
    if (known || this.version === 4) this.ack(0x62, packetId)
    else {
      const reason = ReasonCode.PacketIdentifierNotFound
      this.send(encodeAck(PacketType.PUBREL, packetId, reason, noProperties, 5))
    }
  }

  /** Writes a PUBLISH; false, and nothing is written, if it is larger than the client allows. */
  writePublish(out: Outgoing, packetId: number, dup: boolean, now: number): boolean {
    const { message } = out
    const shared =
      out.identifiers === null && out.topic === null && message.expiresAt === 0 && this.aliasesMaximum === 0
    const image = shared ? message.image(this.version, out.qos > 0) : this.#encode(out, now)
    if (image === null) return false
    const n = image.bytes.length
    if (this.maximumPacketSize !== 0 && n > this.maximumPacketSize) return false
    const at = this.reserve(n)
    const { buffer } = this
    image.bytes.copy(buffer, at)
    buffer[at] = 0x30 | (dup ? 8 : 0) | (out.qos << 1) | (out.retain ? 1 : 0)
    if (out.qos > 0) {
      buffer[at + image.idAt] = packetId >> 8
      buffer[at + image.idAt + 1] = packetId & 255
    }
    return true
  }

  /** Null: too large. An alias is taken only by a packet that is sent. */
  #encode(out: Outgoing, now: number): Image | null {
    const { version } = this
    if (this.aliasesMaximum === 0) return encodeFor(out, { version, now, alias: 0, aliasKnown: false })
    const aliases = (this.#aliases ??= new Map())
    const topic = out.topic ?? out.message.topic
    const known = aliases.get(topic) ?? 0
    const alias = known === 0 && aliases.size < this.aliasesMaximum ? aliases.size + 1 : known
    const image = encodeFor(out, { version, now, alias, aliasKnown: known !== 0 })
    if (this.maximumPacketSize !== 0 && image.bytes.length > this.maximumPacketSize) return null
    if (alias !== known) aliases.set(topic, alias)
    return image
  }
}
