import { distanceKm } from './distance.ts'
import type { Inventory } from './inventory.ts'

/** Light in fibre, and cables are about half as long again as the way over the sphere. */
const kmPerMs = 200 / 1.5
/** Routers, and the last mile on both ends. */
const hopsMs = 1
/** Where nothing is known about a place. */
const unknownMs = 40

/** One-way delay between two DCs in milliseconds: as the inventory says, else by distance; 0 inside one. */
export function delayBetween({ wan, dcs }: Inventory, a: string, b: string): number {
  if (a === b) return 0
  const said = wan.find(({ between }) => between.includes(a) && between.includes(b))
  if (said !== undefined) return said.ms
  const from = dcs.find((one) => one.name === a)
  const to = dcs.find((one) => one.name === b)
  if (from?.location === undefined || to?.location === undefined) return unknownMs
  return Math.round(distanceKm(from.location, to.location) / kmPerMs + hopsMs)
}
