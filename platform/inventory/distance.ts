/** Degrees north and east. */
export type Location = readonly [north: number, east: number]

const earthRadiusKm = 6371

/** Shortest way over the sphere, in kilometres (haversine formula). */
export function distanceKm(from: Location, to: Location): number {
  const [north1, east1] = from.map(radians)
  const [north2, east2] = to.map(radians)
  const half =
    Math.sin((north2 - north1) / 2) ** 2 +
    Math.cos(north1) * Math.cos(north2) * Math.sin((east2 - east1) / 2) ** 2
  return 2 * earthRadiusKm * Math.asin(Math.sqrt(Math.min(half, 1)))
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180
}
