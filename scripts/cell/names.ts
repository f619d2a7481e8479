import type { Host, Inventory } from '#platform/inventory/inventory.ts'

/** Names that clients may reach a host by, and its certificate is for: its own; its DC's and the service's if it has role app. */
export function namesOf({ dns }: Inventory, { name, dc, roles }: Host): string[] {
  const inZone = (names: readonly string[]): string[] =>
    dns === undefined ? [] : names.map((one) => `${one}.${dns.zone}`)
  const shared = roles.includes('app') ? inZone([...(dns?.names ?? []), dc]) : []
  return [name, 'localhost', ...inZone([name]), ...shared]
}
