import type { Dc, Inventory } from './inventory.ts'

const earthRadiusKm = 6371
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
  const km = from && to && distanceKm(from, to)
  return km === undefined ? unknownMs : Math.round(km / kmPerMs + hopsMs)
}

function distanceKm(from: Dc, to: Dc): number | undefined {
  if (from.location === undefined || to.location === undefined) return undefined
  const [north1, east1] = from.location.map(radians)
  const [north2, east2] = to.location.map(radians)
  const half =
    Math.sin((north2 - north1) / 2) ** 2 +
    Math.cos(north1) * Math.cos(north2) * Math.sin((east2 - east1) / 2) ** 2
  return 2 * earthRadiusKm * Math.asin(Math.sqrt(half))
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180
}
