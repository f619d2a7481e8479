import { checkInventory, type Host, type Inventory } from '#platform/inventory/inventory.ts'

/** How large a test fleet is. */
export const fleetSizes = ['one', 'small', 'full'] as const
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
 * app hosts each, two backup DCs with one host.
 */
export function fleetInventory(size: FleetSize): Inventory {
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
