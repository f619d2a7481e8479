import { PlatformError } from '../errors.ts'
import { fitsDepth } from '../json.ts'

export type Json = null | boolean | number | string | Json[] | JsonObject
export interface JsonObject {
  [key: string]: Json
}

export const twinLimits = {
  /** Bytes of the desired, and of the reported document as JSON. */
  bytes: 65_536,
  /** Levels of nesting. */
  depth: 10,
  /** Values that a document may have; arrays count as one. */
  values: 1000,
  /** Bytes of a value's path. */
  path: 512,
  /** Bytes of a key. */
  key: 128,
  /** Documents of a device. */
  documents: 16,
} as const

export const twinName = /^[A-Za-z0-9_-]{1,64}$/
/** The document that `v1/devices/me/attributes` means. */
export const defaultTwin = 'default'

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** One value of a document, or of a patch (null: deletes what is there). */
export interface Leaf {
  readonly path: string
  readonly value: Json
}

/** The values of a document in no order; an object is nothing but the values in it. */
export function leavesOf(document: JsonObject): Leaf[] {
  const leaves: Leaf[] = []
  collect(document, '', leaves)
  return leaves
}

function collect(object: JsonObject, path: string, leaves: Leaf[]): void {
  for (const [key, value] of Object.entries(object)) {
    const own = `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
    if (isObject(value)) collect(value, own, leaves)
    else leaves.push({ path: own, value })
  }
}

/** Keys on the way to a value. */
export function keysOf(path: string): string[] {
  return path
    .slice(1)
    .split('/')
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/**
 * The document or patch as an object, if it is within the limits. PlatformError `invalid_field` names `field` and the path.
 */
export function checkedDocument(value: unknown, field: string): JsonObject {
  const wrong = (message: string): PlatformError => new PlatformError('invalid_field', message, field)
  if (!isObject(value)) throw wrong('must be an object')
  if (!fitsDepth(value, twinLimits.depth)) throw wrong(`is nested deeper than ${twinLimits.depth} levels`)
  const leaves = leavesOf(value)
  if (leaves.length > twinLimits.values) throw wrong(`has more than ${twinLimits.values} values`)
  for (const { path, value: leaf } of leaves) {
    if (Buffer.byteLength(path) > twinLimits.path)
      throw wrong(`a path is longer than ${twinLimits.path} bytes`)
    for (const key of keysOf(path)) checkKey(key, wrong)
    if (typeof leaf === 'number' && !Number.isFinite(leaf)) throw wrong(`${path} must be a finite number`)
  }
  if (Buffer.byteLength(JSON.stringify(value)) > twinLimits.bytes)
    throw wrong(`is longer than ${twinLimits.bytes} bytes`)
  return value
}

function checkKey(key: string, wrong: (message: string) => PlatformError): void {
  if (key === '' || Buffer.byteLength(key) > twinLimits.key || /\p{Cc}/u.test(key) || !key.isWellFormed())
    throw wrong(`a key must have 1 to ${twinLimits.key} bytes and no control characters`)
  // An object with such a key would be something else to many a reader.
  if (key === '__proto__') throw wrong('a key must not be __proto__')
}

/** JSON merge patch (RFC 7396): null deletes, objects merge, everything else replaces. */
export function merged(target: Json | undefined, patch: JsonObject): JsonObject {
  const result: JsonObject = isObject(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = isObject(value) ? merged(result[key], value) : value
  }
  return result
}

/** Without the nulls that a document as a whole cannot have: there they mean that it is not there. */
export function withoutNulls(document: JsonObject): JsonObject {
  return merged({}, document)
}

/** What is wanted and not reported, or reported otherwise; undefined: nothing. What nobody wants is no difference. */
export function deltaOf(desired: JsonObject, reported: JsonObject): JsonObject | undefined {
  const delta: JsonObject = {}
  for (const [key, wanted] of Object.entries(desired)) {
    const is = Object.hasOwn(reported, key) ? reported[key] : undefined
    if (isObject(wanted)) {
      const inner = deltaOf(wanted, isObject(is) ? is : {})
      if (inner !== undefined) delta[key] = inner
    } else if (!sameJson(wanted, is)) delta[key] = wanted
  }
  return Object.keys(delta).length === 0 ? undefined : delta
}

export function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((value, i) => sameJson(value, b[i]))
  if (!isObject(a) || !isObject(b)) return false
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key]))
  )
}
