import { dayMs, hourMs, minuteMs } from './times.ts'

/** Cuts time into steps, one after the other without a gap; all times are milliseconds since 1970. */
export interface Steps {
  /** Beginning of the step that `time` is in. */
  floor(time: number): number
  /** Beginning of the step after the one that begins at `start`. */
  next(start: number): number
}

/** The step or time zone cannot be used; the message is for whoever wrote it. */
export class StepError extends Error {
  readonly field: 'step' | 'time_zone'

  constructor(field: StepError['field'], message: string) {
    super(message)
    this.name = 'StepError'
    this.field = field
  }
}

/** Longest step, about. */
const maxYears = 100
const secondMs = 1000
const units = { s: secondMs, m: minuteMs, h: hourMs } as const
const words = { day: '1d', week: '1w', month: '1mo', year: '1y' } as const
const short = /^(\d{1,6})(s|m|h|d|w|mo|y)$/
const iso = /^P(?:(\d{1,4})([YMWD])|T(?:(\d{1,4})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)$/
const isoUnits = { Y: 'y', M: 'mo', W: 'w', D: 'd' } as const

/**
 * A step by its text. Fixed ones (`30s`, `15m`, `1h`, `PT1H30M`) count from 1970 in UTC; those of the calendar (`1d`, `1w`,
 * `1mo`, `1y`, `day`, `P1M`, ...) begin at midnight of the IANA time zone, weeks on Monday, however long a day is there.
 */
export function parseSteps(text: string, timeZone = 'UTC'): Steps {
  const zone = zoneOf(timeZone)
  const word: string = Object.hasOwn(words, text) ? words[text as keyof typeof words] : text
  const [, number, unit] = short.exec(word) ?? shortOf(iso.exec(word))
  const count = Number(number)
  if (unit === undefined || !(count > 0)) {
    throw new StepError(
      'step',
      'must be a number and s, m, h, d, w, mo or y (15m, 1d), an ISO duration (PT15M, P1D), or day, week, month, year',
    )
  }
  if (unit === 's' || unit === 'm' || unit === 'h') return fixed(count * units[unit])
  const months = unit === 'mo' ? count : unit === 'y' ? count * 12 : 0
  if (months > maxYears * 12 || (months === 0 && count > maxYears * 366))
    throw new StepError('step', `must be at most ${maxYears} years`)
  if (months > 0) return calendar(zone, monthSteps(months))
  return calendar(zone, unit === 'w' ? daySteps(count * 7, firstMonday) : daySteps(count, 0))
}

function shortOf(match: RegExpExecArray | null): (string | undefined)[] {
  if (match === null) return []
  const [, number, letter, hours = '0', minutes = '0', seconds = '0'] = match
  if (letter !== undefined) return ['', number, isoUnits[letter as keyof typeof isoUnits]]
  return ['', String(Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)), 's']
}

function fixed(width: number): Steps {
  if (width > minuteMs && width % minuteMs !== 0)
    throw new StepError(
      'step',
      'must be whole minutes if it is longer than one; calendar steps are 1d, 1w, 1mo, 1y',
    )
  if (width > maxYears * 366 * dayMs) throw new StepError('step', `must be at most ${maxYears} years`)
  return {
    floor: (time) => Math.floor(time / width) * width,
    next: (start) => start + width,
  }
}

/** Days since 1970 to the first day of their step, and that to the first day of the next. */
interface DaySteps {
  floor(day: number): number
  next(first: number): number
}

/** 1970 began on a Thursday. */
const firstMonday = 4

function daySteps(count: number, origin: number): DaySteps {
  return {
    floor: (day) => Math.floor((day - origin) / count) * count + origin,
    next: (first) => first + count,
  }
}

function monthSteps(count: number): DaySteps {
  const firstDay = (month: number): number => Math.floor(Date.UTC(0, month) / dayMs)
  const monthOf = (day: number): number => {
    const date = new Date(day * dayMs)
    return (date.getUTCFullYear() - 1900) * 12 + date.getUTCMonth()
  }
  return {
    floor: (day) => firstDay(Math.floor(monthOf(day) / count) * count),
    next: (first) => firstDay(monthOf(first) + count),
  }
}

function calendar(zone: Zone, steps: DaySteps): Steps {
  return {
    floor: (time) => {
      const first = steps.floor(zone.dayOf(time))
      const next = zone.startOf(steps.next(first))
      // Where clocks go back over midnight some of the day before comes again; the new day has begun already.
      return next <= time ? next : zone.startOf(first)
    },
    next: (start) => zone.startOf(steps.next(zone.dayOf(start))),
  }
}

/** Days as people in a time zone count them, by their number since 1970. */
interface Zone {
  dayOf(time: number): number
  /** The first moment of a day. */
  startOf(day: number): number
}

const zones = new Map<string, Zone>()
const maxZones = 1000

function zoneOf(name: string): Zone {
  let zone = zones.get(name)
  if (zone === undefined) {
    zone = name === 'UTC' ? utc : new NamedZone(name)
    if (zones.size < maxZones) zones.set(name, zone)
  }
  return zone
}

const utc: Zone = { dayOf: (time) => Math.floor(time / dayMs), startOf: (day) => day * dayMs }

class NamedZone implements Zone {
  readonly #format: Intl.DateTimeFormat

  constructor(name: string) {
    try {
      this.#format = new Intl.DateTimeFormat('en-US', {
        timeZone: name,
        hourCycle: 'h23',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      })
    } catch {
      throw new StepError('time_zone', 'must be an IANA time zone, like Europe/Budapest')
    }
  }

  dayOf(time: number): number {
    return Math.floor(this.#local(time) / dayMs)
  }

  startOf(day: number): number {
    const midnight = day * dayMs
    // Offsets of the day before and of the day after: one of them holds at midnight, whatever changes that night.
    const before = midnight - (this.#local(midnight - dayMs) - (midnight - dayMs))
    const after = midnight - (this.#local(midnight + dayMs) - (midnight + dayMs))
    const candidates = [Math.min(before, after), Math.max(before, after)]
    const found = candidates.find((time) => this.#local(time) === midnight)
    if (found !== undefined) return found
    // Clocks skip midnight: the day begins when they have.
    let [low, high] = [candidates[0] - 1, candidates[1]]
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (this.#local(middle) >= midnight) high = middle
      else low = middle
    }
    return high
  }

  /** What clocks in the zone show, as if it were UTC. */
  #local(time: number): number {
    const parts: Record<string, number> = {}
    for (const { type, value } of this.#format.formatToParts(time)) parts[type] = Number(value)
    const { year, month, day, hour, minute, second } = parts
    return Date.UTC(year, month - 1, day, hour, minute, second) + (((time % 1000) + 1000) % 1000)
  }
}
