import type { PacketOpt } from 'dns-packet'
import { type AddressBytes, bitAt } from './address.ts'

/** Part of a client's address that its resolver tells (EDNS client subnet, RFC 7871). */
export interface ClientSubnet {
  /** The rest is 0. */
  readonly address: AddressBytes
  readonly prefix: number
}

export const clientSubnetCode = 8
const families: Readonly<Record<number, 4 | 16>> = { 1: 4, 2: 16 }

/** Reads the option's data; undefined: it is malformed, to be answered FORMERR (RFC 7871, 7.1.2 and 7.2.1). */
export function parseClientSubnet(data: Buffer): ClientSubnet | undefined {
  if (data.length < 4) return undefined
  const size = families[data.readUInt16BE(0)]
  const prefix = data[2]
  const scope = data[3]
  if (size === undefined || prefix > size * 8 || scope !== 0) return undefined
  const told = data.subarray(4)
  if (told.length !== Math.ceil(prefix / 8)) return undefined
  const address = new Uint8Array(size)
  address.set(told)
  for (let at = prefix; at < told.length * 8; at++) if (bitAt(address, at) === 1) return undefined
  return { address, prefix }
}

/** The option of an answer: the same as in the question, and the prefix that the answer holds for. */
export function clientSubnetOption({ address, prefix }: ClientSubnet, scope: number): PacketOpt {
  const told = Math.ceil(prefix / 8)
  const data = Buffer.alloc(4 + told)
  data.writeUInt16BE(address.length === 4 ? 1 : 2, 0)
  data[2] = prefix
  data[3] = scope
  data.set(address.subarray(0, told), 4)
  return { code: clientSubnetCode, data, ip: undefined }
}
