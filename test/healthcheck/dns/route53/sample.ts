import type { HealthCheck, RecordSet, RecordTree } from '#healthcheck/dns/record-set.ts'

export const zone = 'iot.example.org'
const checkers = ['c1', 'c2', 'c3']
const dcs: Record<string, readonly string[]> = {
  dc01: ['192.0.2.11', '192.0.2.12'],
  dc02: ['198.51.100.21'],
}

/** A small tree of all kinds: two regions, two DCs, three checkers. */
export function sampleTree(change: { secret?: string; ttl?: number } = {}): RecordTree {
  const { secret = 'secret', ttl = 60 } = change
  const alias = (name: string): RecordSet['answer'] => ({ alias: `${name}.${zone}`, evaluateHealth: true })
  const chain = (region: string, first: string, second: string): RecordSet[] => [
    {
      name: `1.${region}._chain.${zone}`,
      type: 'A',
      id: first,
      routing: { by: 'failover', role: 'primary' },
      answer: alias(first),
    },
    {
      name: `1.${region}._chain.${zone}`,
      type: 'A',
      id: 'next',
      routing: { by: 'failover', role: 'secondary' },
      answer: alias(second),
    },
  ]
  const records: RecordSet[] = [
    {
      name: `mqtt.${zone}`,
      type: 'A',
      id: 'continent-EU',
      routing: { by: 'place', place: { continent: 'EU' } },
      answer: alias('1.eu._chain'),
    },
    {
      name: `mqtt.${zone}`,
      type: 'A',
      id: 'default',
      routing: { by: 'place', place: 'default' },
      answer: alias('1.na._chain'),
    },
    ...chain('eu', 'dc02', 'dc01'),
    ...chain('na', 'dc01', 'dc02'),
    ...Object.entries(dcs).flatMap(([dc, addresses]) =>
      addresses.flatMap((value, at): RecordSet[] => [
        {
          name: `${dc}.${zone}`,
          type: 'A',
          id: `${dc}-app${at + 1}`,
          routing: { by: 'weight', weight: 10 },
          answer: { values: [value], ttl },
          check: dc,
        },
        {
          name: `${dc}-app${at + 1}.${zone}`,
          type: 'A',
          routing: { by: 'simple' },
          answer: { values: [value], ttl },
        },
      ]),
    ),
  ]
  const checks = Object.keys(dcs).flatMap((dc): HealthCheck[] => [
    ...checkers.map(
      (checker, at): HealthCheck => ({
        name: `${dc}@${checker}`,
        kind: 'http',
        address: `203.0.113.${at + 1}`,
        port: 8053,
        path: `/hc/${secret}/${dc}/down`,
      }),
    ),
    {
      name: dc,
      kind: 'count',
      children: checkers.map((checker) => `${dc}@${checker}`),
      atLeast: 2,
      inverted: true,
    },
  ])
  return { zone, records, checks }
}
