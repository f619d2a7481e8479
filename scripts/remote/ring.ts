/** A Cassandra node as another one sees it. */
export interface RingEntry {
  readonly dc: string
  readonly address: string
  readonly up: boolean
  readonly state: 'normal' | 'leaving' | 'joining' | 'moving'
  /** As nodetool says it: `1.21 GiB`. */
  readonly load: string
}

/** As the inventory may have it shorter: Cassandra writes IPv6 addresses in full. */
export function canonical(address: string): string {
  return address.includes(':') ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address
}

const states = { N: 'normal', L: 'leaving', J: 'joining', M: 'moving' } as const
const entry = /^([UD])([NLJM])\s+(\S+)\s+(\?|[\d.]+ \w+)\s/

/** Reads what `nodetool status` prints. */
export function ringOf(printed: string): RingEntry[] {
  let dc = ''
  const entries: RingEntry[] = []
  for (const line of printed.split('\n')) {
    dc = /^Datacenter: (\S+)/.exec(line)?.[1] ?? dc
    const [, up, state, address, load] = entry.exec(line) ?? []
    if (address === undefined) continue
    entries.push({
      dc,
      address: canonical(address),
      up: up === 'U',
      state: states[state as keyof typeof states],
      load,
    })
  }
  return entries
}
