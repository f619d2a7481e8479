import { isIPv4, isIPv6 } from 'node:net'

/** An address in network order: 4 bytes, or 16. */
export type AddressBytes = Uint8Array

const mappedPrefix = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]

/** Bytes of an address, an IPv4 one also where it comes mapped into IPv6; undefined: it is none. */
export function addressBytes(text: string): AddressBytes | undefined {
  const address = text.split('%')[0]
  if (isIPv4(address)) return Uint8Array.from(address.split('.'), Number)
  if (!isIPv6(address)) return undefined
  const bytes = ipv6Bytes(address)
  return mappedPrefix.every((one, at) => bytes[at] === one) ? bytes.subarray(12) : bytes
}

function ipv6Bytes(address: string): AddressBytes {
  const [head, tail] = address.split('::')
  const first = groupBytes(head)
  const last = groupBytes(tail ?? '')
  const bytes = new Uint8Array(16)
  bytes.set(first)
  bytes.set(last, 16 - last.length)
  return bytes
}

function groupBytes(groups: string): number[] {
  if (groups === '') return []
  return groups.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number)
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}

/** The bit at a place, 0 the highest. */
export function bitAt(bytes: AddressBytes, at: number): 0 | 1 {
  return ((bytes[at >> 3] >> (7 - (at & 7))) & 1) as 0 | 1
}

/** The network an address is in, for counting by it: IPv4 by /24, IPv6 by /56, what one user or site usually has. */
export function networkOf(bytes: AddressBytes): string {
  return bytes.subarray(0, bytes.length === 4 ? 3 : 7).join('.')
}
