/** Two DCs by number, the lower one first. */
export type Pair = readonly [a: number, b: number]

/** What the rules are made from. */
export interface Net {
  /** Second number of the cell's loopback addresses: names its chains, marks, groups and queues. */
  readonly net: number
  /** Numbers of the DCs. */
  readonly dcs: readonly number[]
}

/** Group of a DC's processes: by it the kernel knows whose connection it is, as most sockets have no address of their DC. */
export function groupOf(net: number, dc: number): number {
  return 700_000_000 + net * 256 + dc
}

/** Group of the checker of a DC: in the DC's network, and to be cut off alone. */
export function checkerGroupOf(net: number, dc: number): number {
  return groupOf(net, dc) + 128
}

/** What no packet gets through to. */
export interface Cuts {
  readonly pairs: readonly Pair[]
  /** Numbers of DCs whose checker reaches nothing of the cell, and is not reached. */
  readonly checkers: readonly number[]
}

export function pairsOf(dcs: readonly number[]): Pair[] {
  const sorted = dcs.toSorted((a, b) => a - b)
  return sorted.flatMap((a, i) => sorted.slice(i + 1).map((b): Pair => [a, b]))
}

/** NFQUEUE of a pair; two cells never share one. */
export function queueOf({ net, dcs }: Net, pair: Pair): number {
  return net * 256 + numberOf(dcs, pair)
}

export function chainOf(net: number): string {
  return `CINQUE-${net}`
}

/**
 * All rules of a cell for `iptables-restore --noflush`: one chain for marking connections between two DCs as packets
 * leave, one that drops or delays the packets of marked ones as they arrive, both ways. No other packet is touched.
 * Held back when they leave, packets would count as not sent yet, and TCP sends two at a time then.
 */
export function rulesOf(cell: Net, cuts: Cuts, delayed: boolean): string {
  const { net, dcs } = cell
  const chain = chainOf(net)
  const pairs = pairsOf(dcs)
  const mark = (pair: Pair): string => hex((0xc1 << 24) | (net << 16) | numberOf(dcs, pair))
  const marking = pairs.flatMap(([a, b]) =>
    [
      [a, b],
      [b, a],
    ].flatMap(([from, to]) =>
      [groupOf(net, from), checkerGroupOf(net, from)].map(
        (group) =>
          `-A ${chain}-M -p tcp -m owner --gid-owner ${group} -d 127.${net}.${to}.0/24 -j CONNMARK --set-mark ${mark([a, b])}`,
      ),
    ),
  )
  // What it asks, and what it answers.
  const silenced = cuts.checkers.map(
    (dc) => `-A ${chain}-M -m owner --gid-owner ${checkerGroupOf(net, dc)} -d 127.${net}.0.0/16 -j DROP`,
  )
  const drops = cuts.pairs.map((pair) => `-A ${chain} -m connmark --mark ${mark(pair)} -j DROP`)
  const queues = pairs.map(
    (pair) =>
      `-A ${chain} -m connmark --mark ${mark(pair)} -j NFQUEUE --queue-num ${queueOf(cell, pair)} --queue-bypass`,
  )
  return [
    '*mangle',
    `:${chain} - [0:0]`,
    `:${chain}-M - [0:0]`,
    ...silenced,
    ...marking,
    ...drops,
    ...(delayed ? queues : []),
    'COMMIT',
    '',
  ].join('\n')
}

function numberOf(dcs: readonly number[], [a, b]: Pair): number {
  return pairsOf(dcs).findIndex(([one, other]) => one === a && other === b)
}

function hex(mark: number): string {
  return `0x${(mark >>> 0).toString(16)}`
}
