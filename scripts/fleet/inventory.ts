import { checkInventory, type Host, type Inventory } from '#platform/inventory/inventory.ts'

/** How large a test fleet is. */
export const fleetSizes = ['one', 'small', 'full', 'whole'] as const
export type FleetSize = (typeof fleetSizes)[number]

const five = [
  { name: 'dc01', number: 1, place: 'Montreal', location: [45.5, -73.6], kind: 'live' },
  { name: 'dc02', number: 2, place: 'Miami', location: [25.8, -80.2], kind: 'live' },
  { name: 'dc03', number: 3, place: 'Nürnberg', location: [49.5, 11.1], kind: 'live' },
  { name: 'dcb1', number: 4, place: 'London', location: [51.5, -0.1], kind: 'backup' },
  { name: 'dcb2', number: 5, place: 'Munich', location: [48.1, 11.6], kind: 'backup' },
] as const

/** Networks of the DCs: 10.60.NUMBER.0/24. Nothing of them is seen outside of the fleet's network namespaces. */
export const network = (dc: number): string => `10.60.${dc}.0/24`
export const gatewayOf = (dc: number): string => `10.60.${dc}.254`

/**
 * `one`: a host with everything. `small`: five DCs with one such host each. `full`: three live DCs with a db host and two
 * app hosts each, two backup DCs with one host. `whole`: a live and a backup DC with one such host and a checker each, which
 * have what a cell has that is not for tests: see `valuesOf`.
 */
export function fleetInventory(size: FleetSize): Inventory {
  if (size === 'whole') return wholeInventory()
  const dcs = size === 'one' ? five.slice(0, 1) : five
  const hosts = dcs.flatMap(({ name, number, kind }) => {
    const host = (at: number, called: string, roles: Host['roles']): Host => ({
      name: `${name}-${called}`,
      dc: name,
      roles,
      address: `10.60.${number}.${at}`,
      brokers: 1,
      weight: 10,
    })
    return size === 'full' && kind === 'live'
      ? [host(1, 'db1', ['db']), host(11, 'app1', ['app']), host(12, 'app2', ['app'])]
      : [host(1, 'n1', ['db', 'app'])]
  })
  return checkInventory(
    { cell: 'fleet', dcs: dcs.map((dc) => ({ ...dc, replicas: 1 })), hosts },
    'the inventory of the test fleet',
  )
}

function wholeInventory(): Inventory {
  const dcs = five.filter(({ name }) => name === 'dc01' || name === 'dcb1')
  const hosts = dcs.flatMap(({ name: dc, number }) => [
    { name: `${dc}-n1`, dc, roles: ['db', 'app'], address: `10.60.${number}.1` },
    { name: `${dc}-check1`, dc, roles: ['checker'], address: `10.60.${number}.31` },
  ])
  // Of two checkers both must agree; nobody waits for minutes to see what happens.
  const health = { interval: 2, quorum: 2, up_after: 2, failback: [100], failback_step: 1 }
  return checkInventory(
    {
      cell: 'fleet',
      dcs: dcs.map((dc) => ({ ...dc, replicas: 1 })),
      hosts,
      dns: { zone: 'fleet.test', ttl: 5 },
      health,
    },
    'the inventory of the test fleet',
  )
}

/** Hiera's values of a size, for all of its hosts: what Puppet leaves out where nobody asks for it. */
export function valuesOf(size: FleetSize): Record<string, unknown> {
  if (size !== 'whole') return {}
  return {
    'profile::backup::directory': '/srv/backup',
    // The other checker is its own name server.
    'profile::gdnsd::hosts': ['dcb1-check1'],
    'profile::prometheus::hosts': ['dc01-check1'],
    'profile::operator::hosts': ['dc01-check1', 'dcb1-check1'],
  }
}
