import type { Inventory } from '#platform/inventory/inventory.ts'
import { netOf } from './claim.ts'

/** Networks of simulated devices, a place each; `127.{net}.{number}.0/24`. Numbers of DCs are far below. */
const devicePlaces = {
  AF: 201,
  AN: 202,
  AS: 203,
  EU: 204,
  NA: 205,
  OC: 206,
  SA: 207,
} as const
export type DevicePlace = keyof typeof devicePlaces

const addressesEach = 254

/** An address of a simulated device in that place; after 254 devices the first one again. */
export function deviceAddress(inventory: Inventory, place: DevicePlace, index: number): string {
  return `127.${netOf(inventory)}.${devicePlaces[place]}.${1 + (index % addressesEach)}`
}

/** What the cell's name servers read of who is where. */
export function placesFile(inventory: Inventory): string {
  const lines = Object.entries(devicePlaces).map(
    ([place, number]) => `127.${netOf(inventory)}.${number}.0/24 ${place}`,
  )
  return `# Simulated devices of each continent.\n${lines.join('\n')}\n`
}
