import { PacketError } from './packet-error.ts'
import { PacketType } from './packet-type.ts'
import { ReasonCode } from './reason-code.ts'
import { Writer } from './writer.ts'

/** A whole PINGREQ (3.12). Shared: never write into it. */
export const PINGREQ: Buffer = new Writer(PacketType.PINGREQ, 0, 0).buf

/** A whole PINGRESP (3.13). Shared: never write into it. */
export const PINGRESP: Buffer = new Writer(PacketType.PINGRESP, 0, 0).buf

/** Throws PacketError if the body [from, to) of a PINGREQ or PINGRESP is not empty (3.12.2, 3.12.3). */
export function decodePing(from: number, to: number): void {
  if (from < to) throw new PacketError(ReasonCode.MalformedPacket, '3.12.3', 'a ping with a body')
}
