import type { Ratio } from './statistics.ts'

/** What a figure must reach. `of` says what is compared: */
export type Bar = {
  /** the figure itself, its ratio to mosquitto's in the same round, to the same flow in MQTT 3.1.1, or to the raw store's */
  readonly of: 'figure' | 'mosquitto' | 'mqtt3' | 'store'
} & ({ readonly atLeast: number } | { readonly atMost: number })

/** What a bar is held against; null or NaN where it was not measured in this run. */
export interface Measurement {
  readonly figure: number
  readonly mosquitto: Ratio | null
  readonly mqtt3: Ratio | null
  readonly store: Ratio | null
}

const units = { figure: '', mosquitto: 'x mosquitto', mqtt3: 'x 3.1.1', store: 'x raw store' } as const

/** 12300 -> 12.3 k, 0.89 -> 0.89: three significant digits. */
export function compact(value: number): string {
  if (Number.isNaN(value)) return '-'
  const size = Math.abs(value)
  if (size >= 999_500) return `${Number((value / 1e6).toPrecision(3))}M`
  if (size >= 9_995) return `${Number((value / 1e3).toPrecision(3))}k`
  return String(Number(value.toPrecision(3)))
}

/** `>= 20 x mosquitto`. */
export function describeBar(bar: Bar): string {
  const [sign, bound] = 'atLeast' in bar ? ['>=', bar.atLeast] : ['<=', bar.atMost]
  return `${sign} ${compact(bound)}${units[bar.of]}`
}

function reached(bar: Bar, m: Measurement): number {
  if (bar.of === 'figure') return m.figure
  return m[bar.of]?.median ?? NaN
}

/** `met`, `missed by 12 % (17.6)`, or `not measured`. A figure with losses never meets a bar. */
export function judge(bar: Bar, measurement: Measurement, lossless: boolean): string {
  const value = reached(bar, measurement)
  if (Number.isNaN(value)) return 'not measured'
  const shortfall = 'atLeast' in bar ? (bar.atLeast - value) / bar.atLeast : (value - bar.atMost) / bar.atMost
  const percent = shortfall < 0.005 ? 'under 1' : Math.round(shortfall * 100)
  if (shortfall > 0) return `missed by ${percent} % (${compact(value)})`
  return lossless ? 'met' : 'missed: messages lost'
}
