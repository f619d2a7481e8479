import { BlockList, isIPv4, isIPv6 } from 'node:net'

/**
 * Networks that Route 53 does not look at: "local, private, non-routable, or multicast ranges"
 * (Route 53 API, HealthCheckConfig.IPAddress).
 */
const unreachable = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['224.0.0.0', 3],
] as const) {
  unreachable.addSubnet(network, prefix, 'ipv4')
}
for (const [network, prefix] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  unreachable.addSubnet(network, prefix, 'ipv6')
}

/** Whether Route 53's probers may ask that address. */
export function isPublic(address: string): boolean {
  return !unreachable.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}

/** One way of writing an IPv6 address; others are as they are. */
export function canonicalAddress(address: string): string {
  return isIPv6(address) ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address
}
