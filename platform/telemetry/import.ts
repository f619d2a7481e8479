import type { Readable } from 'node:stream'
import { parse } from 'csv-parse'
import { parseEntry, type ParsedPoint, PayloadError } from './payload.ts'

/** Longest row in characters: a value may have 16 KB, and as CSV twice that. */
const maxRow = 262_144

/** A row as it was read; `device` is whatever the row says. */
export type ImportRow =
  | { readonly device: string | null; readonly points: readonly ParsedPoint[] }
  | { readonly error: string }

/** The input is not what it says that it is; what came before it was read. */
export class ImportError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ImportError'
  }
}

/**
 * Reads values as they come, a bounded number at a time. NDJSON: {ts, key, value} or {ts, values: {key: value}} a line,
 * where ts may also be `time`, milliseconds since 1970 or RFC 3339. CSV: a first line with `time` (or `ts`) and either
 * `key`, `value` and maybe `type` (number, string, boolean, json), or the keys themselves. Rows may name a `device`.
 * Rejects with ImportError.
 */
export function readImport(
  input: Readable,
  format: 'csv' | 'ndjson',
  receivedAt: number,
): AsyncGenerator<ImportRow> {
  return format === 'csv' ? readCsv(input, receivedAt) : readNdjson(input, receivedAt)
}

async function* readNdjson(input: Readable, receivedAt: number): AsyncGenerator<ImportRow> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let rest = ''
  for await (const chunk of input) {
    const lines = (rest + decoded(() => decoder.decode(chunk as Uint8Array, { stream: true }))).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > maxRow) throw new ImportError(`a line has more than ${maxRow} characters`)
    for (const line of lines) if (line.trim() !== '') yield fromLine(line, receivedAt)
  }
  if (rest.trim() !== '') yield fromLine(rest, receivedAt)
}

function decoded(decode: () => string): string {
  try {
    return decode()
  } catch (error) {
    throw new ImportError('is not UTF-8', { cause: error })
  }
}

function fromLine(line: string, receivedAt: number): ImportRow {
  let row: unknown
  try {
    row = JSON.parse(line)
  } catch {
    return { error: 'the line is not JSON' }
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row))
    return { error: 'the line is not a JSON object' }
  const { device = null, ts, time = ts, key, value, values, ...others } = row as Record<string, unknown>
  const [stranger] = Object.keys(others)
  if (stranger !== undefined) return { error: `${stranger.slice(0, 64)}: is not known here` }
  if (device !== null && typeof device !== 'string') return { error: 'device: must be a text' }
  if ((key === undefined) === (values === undefined)) return { error: 'must have key and value, or values' }
  if (key !== undefined && typeof key !== 'string') return { error: 'key: must be a text' }
  return rowOf(device, time, key === undefined ? values : single(key, value), receivedAt)
}

async function* readCsv(input: Readable, receivedAt: number): AsyncGenerator<ImportRow> {
  const parser = parse({
    bom: true,
    columns: checkedHeader,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: maxRow,
  })
  let failure: Error | undefined
  input.on('error', (error) => {
    failure = error
    parser.destroy(error)
  })
  input.pipe(parser)
  try {
    for await (const record of parser) yield fromRecord(record as Record<string, string>, receivedAt)
  } catch (error) {
    if (failure !== undefined) throw failure
    if (error instanceof ImportError) throw error
    throw new ImportError(`is not CSV: ${error instanceof Error ? error.message : ''}`, { cause: error })
  }
}

const special = new Set(['time', 'ts', 'device', 'key', 'value', 'type'])

function checkedHeader(header: string[]): string[] {
  const has = (name: string): boolean => header.includes(name)
  const keys = header.filter((name) => !special.has(name))
  if (has('time') === has('ts')) throw new ImportError('the first line must name a column time (or ts)')
  if (new Set(header).size < header.length) throw new ImportError('the first line names a column twice')
  if (has('key') !== has('value') || (has('type') && !has('key')))
    throw new ImportError('the first line must name key and value together')
  if (has('key') ? keys.length > 0 : keys.length === 0)
    throw new ImportError('the first line must name key and value, or the keys themselves')
  return header
}

function fromRecord(record: Readonly<Record<string, string>>, receivedAt: number): ImportRow {
  const { device, time, ts, key, value, type, ...keys } = record
  try {
    if (key !== undefined)
      return rowOf(device ?? null, time ?? ts, single(key, typed(value, type)), receivedAt)
    const given = Object.entries(keys).filter(([, text]) => text !== '')
    if (given.length === 0) return { error: 'has no value' }
    const values = given.map(([name, text]) => [name, typed(text, undefined)] as const)
    return rowOf(device ?? null, time ?? ts, Object.fromEntries(values), receivedAt)
  } catch (error) {
    if (error instanceof TypeError) return { error: error.message }
    throw error
  }
}

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?$/

/** The value that a text of CSV means. TypeError: it is not of that type. */
function typed(text: string | undefined, type: string | undefined): unknown {
  if (text === undefined) throw new TypeError('value: is missing')
  switch (type) {
    case 'string':
      return text
    case 'number':
      if (decimal.test(text)) return Number(text)
      throw new TypeError('value: is not a number')
    case 'boolean':
      if (text === 'true' || text === 'false') return text === 'true'
      throw new TypeError('value: must be true or false')
    case 'json':
      return parsedJson(text)
    case undefined:
    case '':
      if (decimal.test(text)) return Number(text)
      return text === 'true' || text === 'false' ? text === 'true' : text
    default:
      throw new TypeError('type: must be number, string, boolean or json')
  }
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new TypeError('value: is not JSON')
  }
}

/** An object whose only field is that, whatever it is called. */
function single(key: string, value: unknown): object {
  return Object.fromEntries([[key, value]])
}

const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/i

function timeOf(time: unknown): unknown {
  if (typeof time !== 'string') return time
  if (/^\d{1,15}$/.test(time)) return Number(time)
  return rfc3339.test(time) ? Date.parse(time) : Number.NaN
}

function rowOf(device: string | null, time: unknown, values: unknown, receivedAt: number): ImportRow {
  try {
    if (time === undefined) return { error: 'time: is missing' }
    const ts = timeOf(time)
    if (Number.isNaN(ts))
      return { error: 'time: must be milliseconds since 1970 or a time like 2026-11-21T12:00:00Z' }
    return { device, points: parseEntry({ ts, values }, receivedAt) }
  } catch (error) {
    if (error instanceof PayloadError) return { error: error.message }
    throw error
  }
}
