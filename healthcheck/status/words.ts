import type { DayState } from './history.ts'

export const stateWords: Readonly<Record<DayState, string>> = {
  up: 'works',
  degraded: 'limited',
  down: 'out',
  maintenance: 'maintenance',
  unknown: 'not known',
}

/** `99.98 %`; rounded down, so that 100 % is all of it. Null: `no data`. */
export function percentOf(share: number | null): string {
  if (share === null) return 'no data'
  return `${(Math.floor(share * 100_000) / 1000)
    .toFixed(share === 1 ? 0 : 3)
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '')} %`
}

/** `21 November 2026, 14:03 UTC` */
export function timeOf(at: number): string {
  const date = new Date(at)
  return `${dateOf(at)}, ${date.toISOString().slice(11, 16)} UTC`
}

const months = 'January February March April May June July August September October November December'.split(
  ' ',
)

export function dateOf(at: number): string {
  const date = new Date(at)
  return `${date.getUTCDate()} ${months[date.getUTCMonth()]} ${date.getUTCFullYear()}`
}

/** `2 h 5 min`, `40 s`. */
export function durationOf(ms: number): string {
  const minutes = Math.round(ms / 60_000)
  if (minutes < 1) return `${Math.max(1, Math.round(ms / 1000))} s`
  const parts: [number, string][] = [
    [Math.floor(minutes / 1440), 'd'],
    [Math.floor(minutes / 60) % 24, 'h'],
    [minutes % 60, 'min'],
  ]
  return parts
    .filter(([count]) => count > 0)
    .slice(0, 2)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ')
}
