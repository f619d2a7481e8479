import type { TelemetryValue } from './point.ts'

export const telemetryLimits = {
  /** Values in one payload. */
  points: 1000,
  /** Characters of a key. */
  keyLength: 128,
  /** Bytes of a string, or of an object as JSON. */
  valueBytes: 16_384,
  /** Different keys that a device may have; all of them are listed at once. */
  keys: 1000,
  /** Oldest time accepted, 2000-01-01; what is below was most likely meant in seconds. */
  oldest: 946_684_800_000,
  /** Milliseconds that a device's clock may be ahead. */
  ahead: 86_400_000,
} as const

/** A value as it came: its own time, or undefined for the time of receipt. */
export interface ParsedPoint {
  readonly key: string
  readonly ts: number | undefined
  readonly value: TelemetryValue
  /** Of an object: its text. */
  readonly json: string | undefined
}

export type RefusalReason =
  | 'not_json'
  | 'bad_shape'
  | 'bad_time'
  | 'bad_key'
  | 'bad_value'
  | 'not_a_number'
  | 'too_many_points'
  | 'too_many_keys'
  | 'quota_exhausted'
  | 'device_gone'

/** Why a payload is not stored; nothing of it is. */
export class PayloadError extends Error {
  readonly reason: RefusalReason
  /** Path of what is wrong, as `[3].values.temp`; empty: the payload itself. */
  readonly field: string

  /** The message without the field. */
  readonly problem: string

  constructor(reason: RefusalReason, field: string, problem: string) {
    super(field === '' ? problem : `${field}: ${problem}`)
    this.name = 'PayloadError'
    this.reason = reason
    this.field = field
    this.problem = problem
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?$/

/**
 * The JSON forms: `{key: value}`, `{ts, values: {key: value}}`, or an array of either. Values are numbers, strings,
 * booleans, objects or arrays. Throws PayloadError.
 */
export function parseJson(payload: Uint8Array, receivedAt: number): ParsedPoint[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(utf8.decode(payload))
  } catch (error) {
    throw new PayloadError(
      'not_json',
      '',
      `not JSON in UTF-8 (${error instanceof Error ? error.message : 'unreadable'})`,
    )
  }
  const points: ParsedPoint[] = []
  if (Array.isArray(parsed)) {
    for (const [index, entry] of parsed.entries()) addEntry(points, entry, `[${index}]`, receivedAt)
  } else addEntry(points, parsed, '', receivedAt)
  if (points.length === 0) throw new PayloadError('bad_shape', '', 'holds no value')
  return points
}

/** One entry {ts, values} that was read elsewhere. Throws PayloadError. */
export function parseEntry(
  entry: { readonly ts: unknown; readonly values: unknown },
  receivedAt: number,
): ParsedPoint[] {
  if (!isObject(entry.values)) throw new PayloadError('bad_shape', 'values', 'must be an object {key: value}')
  const points: ParsedPoint[] = []
  addEntry(points, entry, '', receivedAt)
  for (const { key } of points) checkKey(key)
  if (points.length === 0) throw new PayloadError('bad_shape', 'values', 'holds no value')
  return points
}

/** IoT Guru's form: one decimal number as text. "nan" and "inf", which the Arduino library may send, are no values. */
export function parseDecimal(payload: Uint8Array, key: string): ParsedPoint[] {
  const text = payload.length > 64 ? '' : Buffer.from(payload).toString('latin1').trim()
  const value = decimal.test(text) ? Number(text) : Number.NaN
  if (!Number.isFinite(value))
    throw new PayloadError('not_a_number', key, 'must be a finite decimal number, like 21.50')
  return [{ key, ts: undefined, value, json: undefined }]
}

/** Throws PayloadError unless the text can be a key: no control characters, and no comma, which separates keys in queries. */
export function checkKey(key: string): void {
  if (key.length === 0 || key.length > telemetryLimits.keyLength) {
    throw new PayloadError(
      'bad_key',
      key.slice(0, 32),
      `a key must have 1 to ${telemetryLimits.keyLength} characters`,
    )
  }
  if (!key.isWellFormed() || /[\p{Cc},]/u.test(key)) {
    throw new PayloadError(
      'bad_key',
      JSON.stringify(key),
      'a key must not hold control characters or a comma',
    )
  }
}

function addEntry(points: ParsedPoint[], entry: unknown, path: string, receivedAt: number): void {
  if (!isObject(entry))
    throw new PayloadError('bad_shape', path, 'must be an object {key: value} or {ts, values}')
  const { ts, values } = entry
  if (ts === undefined || !isObject(values)) return addValues(points, entry, path, undefined)
  for (const name in entry) {
    if (name !== 'ts' && name !== 'values') {
      throw new PayloadError('bad_shape', join(path, name), 'only ts and values may stand here')
    }
  }
  checkTime(ts, join(path, 'ts'), receivedAt)
  addValues(points, values, join(path, 'values'), ts)
}

function addValues(
  points: ParsedPoint[],
  values: Record<string, unknown>,
  path: string,
  ts: number | undefined,
): void {
  for (const key of Object.keys(values)) {
    if (points.length === telemetryLimits.points) {
      throw new PayloadError(
        'too_many_points',
        '',
        `more than ${telemetryLimits.points} values; send several payloads`,
      )
    }
    const value = checkedValue(values[key], path, key)
    points.push({ key, ts, value, json: isContainer(value) ? jsonOf(value, path, key) : undefined })
  }
}

function checkTime(ts: unknown, path: string, receivedAt: number): asserts ts is number {
  if (typeof ts !== 'number' || !Number.isSafeInteger(ts)) {
    throw new PayloadError('bad_time', path, 'must be whole milliseconds since 1970')
  }
  if (ts < telemetryLimits.oldest) {
    throw new PayloadError(
      'bad_time',
      path,
      `${ts} is before the year 2000; milliseconds since 1970 are meant`,
    )
  }
  if (ts > receivedAt + telemetryLimits.ahead) {
    throw new PayloadError('bad_time', path, `${ts} is more than a day ahead; check the device's clock`)
  }
}

function checkedValue(value: unknown, path: string, key: string): TelemetryValue {
  switch (typeof value) {
    case 'boolean':
      return value
    case 'number':
      // JSON.parse makes Infinity of 1e999.
      if (Number.isFinite(value)) return value
      throw new PayloadError('bad_value', join(path, key), 'must be a finite number')
    case 'string':
      if (!value.isWellFormed()) {
        throw new PayloadError('bad_value', join(path, key), 'holds half of a surrogate pair')
      }
      if (Buffer.byteLength(value) <= telemetryLimits.valueBytes) return value
      throw new PayloadError('bad_value', join(path, key), tooLong)
    default:
      if (isContainer(value)) return value
      throw new PayloadError('bad_value', join(path, key), 'null is no value; leave the key out')
  }
}

function jsonOf(value: object, path: string, key: string): string {
  let json: string
  try {
    json = JSON.stringify(value)
  } catch {
    // Only nesting of thousands of levels makes it throw here.
    throw new PayloadError('bad_value', join(path, key), 'is nested too deeply')
  }
  if (Buffer.byteLength(json) > telemetryLimits.valueBytes)
    throw new PayloadError('bad_value', join(path, key), tooLong)
  return json
}

const tooLong = `is longer than ${telemetryLimits.valueBytes} bytes`

function isObject(value: unknown): value is Record<string, unknown> {
  return isContainer(value) && !Array.isArray(value)
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}
