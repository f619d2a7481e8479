import type { Host, Inventory } from '#platform/inventory/inventory.ts'

/** Names that clients may reach a host by, and its certificate is for: its own; its DC's and the service's if it has role app. */
export function namesOf({ dns }: Inventory, { name, dc, roles }: Host): string[] {
  const inZone = (names: readonly string[]): string[] =>
    dns === undefined ? [] : names.map((one) => `${one}.${dns.zone}`)
  const shared = roles.includes('app') ? inZone([...(dns?.names ?? []), dc]) : []
  return [name, 'localhost', ...inZone([name]), ...shared]
}

/** UDP and TCP; not 53, which others may have, and which needs a privilege. */
export const dnsPort = 15_353

/** How the cell is found by names. */
export interface CellNames {
  /** `mqtt.cell.test` */
  readonly mqtt: string
  readonly api: string
  /** `127.77.1.200:15353` */
  readonly nameServers: readonly string[]
  /** Of all checkers, `http://127.77.1.200:8053`: the status page, and what programs read. */
  readonly checkers: readonly string[]
}

/** Null: nobody answers for names. */
export function cellNames({ dns, hosts, ports }: Inventory): CellNames | null {
  const checkers = hosts.filter(({ roles }) => roles.includes('checker'))
  if (dns === undefined || checkers.length === 0) return null
  return {
    mqtt: `mqtt.${dns.zone}`,
    api: `api.${dns.zone}`,
    nameServers: checkers.map(({ address }) => `${address}:${dnsPort}`),
    checkers: checkers.map(({ address }) => `http://${address}:${ports.checker}`),
  }
}
