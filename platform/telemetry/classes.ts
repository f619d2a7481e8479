import {
  telemetry,
  telemetry400d,
  telemetry5y,
  telemetry7d,
  telemetryDay,
  telemetryDay400d,
  telemetryDay5y,
  telemetryDay7d,
} from './tables.ts'

export const classNames = ['7d', '90d', '400d', '5y'] as const

/** How long values live that are stored now. */
export type ClassName = (typeof classNames)[number]

/** A class of retention: a table of values that all live equally long, and its list of days. */
export interface RetentionClass {
  readonly name: ClassName
  readonly days: number
  readonly values: typeof telemetry
  readonly dayList: typeof telemetryDay
  /** Its bit in sets of classes. */
  readonly bit: number
}

export const classes: readonly RetentionClass[] = [
  { name: '7d', days: 7, values: telemetry7d, dayList: telemetryDay7d, bit: 1 },
  { name: '90d', days: 90, values: telemetry, dayList: telemetryDay, bit: 2 },
  { name: '400d', days: 400, values: telemetry400d, dayList: telemetryDay400d, bit: 4 },
  { name: '5y', days: 1830, values: telemetry5y, dayList: telemetryDay5y, bit: 8 },
]

/** What holds unless a rule says otherwise. */
export const defaultClass = classOf('90d')

export function classOf(name: ClassName): RetentionClass {
  return classes[classNames.indexOf(name)]
}

/** The shortest life of a set of classes, days; of none: for ever. */
export function shortestDays(bits: number): number {
  return Math.min(...classes.filter(({ bit }) => (bits & bit) !== 0).map(({ days }) => days))
}
