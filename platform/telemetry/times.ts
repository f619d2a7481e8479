export const minuteMs = 60_000
export const quarterMs = 900_000
export const hourMs = 3_600_000
export const dayMs = 86_400_000

/** Months since 1970 of a day since 1970. */
export function monthOf(day: number): number {
  const date = new Date(day * dayMs)
  return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth()
}
