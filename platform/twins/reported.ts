import { type Json, type JsonObject, isObject, keysOf, type Leaf } from './document.ts'

/** What was last said of one path, by whomever. */
export interface ReportedRow {
  readonly path: string
  /** JSON; undefined: deleted, with all below it. */
  readonly value: string | undefined
  /** Of the hybrid clock of the process that took it. */
  readonly stamp: number
}

/** The rows that a patch (null deletes) writes at a stamp. An empty object in it says nothing. */
export function rowsOf(leaves: readonly Leaf[], stamp: number): ReportedRow[] {
  return leaves.map(({ path, value }) => ({
    path,
    value: value === null ? undefined : JSON.stringify(value),
    stamp,
  }))
}

/**
 * The document that rows make: each is applied in order of time, whoever wrote it, so that all who have the same rows have the
 * same document. A value replaces what was at its path, above and below it.
 */
export function documentOf(rows: readonly ReportedRow[]): JsonObject {
  const document: JsonObject = {}
  for (const { path, value } of rows.toSorted(inTime)) {
    const keys = keysOf(path)
    if (value === undefined) remove(document, keys)
    else set(document, keys, JSON.parse(value) as Json)
  }
  return document
}

function inTime(a: ReportedRow, b: ReportedRow): number {
  return a.stamp - b.stamp || (a.path < b.path ? -1 : 1)
}

function set(document: JsonObject, keys: readonly string[], value: Json): void {
  let at = document
  for (const key of keys.slice(0, -1)) {
    const next = Object.hasOwn(at, key) ? at[key] : undefined
    at = isObject(next) ? next : (at[key] = {})
  }
  at[keys[keys.length - 1]] = value
}

/** An object without values is not there; what is not an object was to be one, and has none. */
function remove(object: JsonObject, [key, ...rest]: readonly string[]): void {
  if (!Object.hasOwn(object, key)) return
  const inner = object[key]
  if (isObject(inner) && rest.length > 0) remove(inner, rest)
  if (rest.length === 0 || !isObject(inner) || Object.keys(inner).length === 0) delete object[key]
}
