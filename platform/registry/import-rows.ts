import type { Readable } from 'node:stream'
import { createInterface } from 'node:readline'
import { parse } from 'csv-parse'
import { PlatformError } from '../errors.ts'

/** Longest line, and longest field of CSV, in characters. */
const maxLine = 65_536
const columns = ['name', 'id', 'key', 'description', 'profile', 'enabled', 'groups'] as const
const known = new Set<string>(columns)
const labelPrefix = 'label.'

/** A row as the import takes it: `row`, or `error` when it cannot be read. */
type Row = { row: Readonly<Record<string, unknown>> } | { error: string; name?: string | undefined }

/**
 * Reads devices as they come. NDJSON: an object a line, with the fields of `POST /v1/devices`. CSV: a first line of
 * names (`name`, `id`, `key`, `description`, `profile`, `enabled`, `groups` separated by blanks, `label.site`, ...), empty
 * fields are left out. PlatformError `invalid_field`: it is no CSV, or has columns that are not known.
 */
export function readRows(input: Readable, format: 'csv' | 'ndjson'): AsyncGenerator<Row> {
  return format === 'csv' ? readCsv(input) : readNdjson(input)
}

async function* readNdjson(input: Readable): AsyncGenerator<Row> {
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
  // An error of its source ends the lines as if they were all.
  let failure: Error | undefined
  input.on('error', (error) => {
    failure = error
    lines.close()
  })
  for await (const line of lines) {
    if (line.trim() !== '') yield parseLine(line)
  }
  if (failure !== undefined) throw failure
}

function parseLine(line: string): Row {
  if (line.length > maxLine) return { error: `the line has more than ${maxLine} characters` }
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return { error: 'the line is not JSON' }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { error: 'the line is not a JSON object' }
  return checked(value as Record<string, unknown>)
}

async function* readCsv(input: Readable): AsyncGenerator<Row> {
  const parser = parse({
    bom: true,
    columns: checkedHeader,
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true,
    max_record_size: maxLine,
  })
  // Its source's own errors are what is wrong, not the parser's that follow from them.
  let failure: Error | undefined
  input.on('error', (error) => {
    failure = error
    parser.destroy(error)
  })
  input.pipe(parser)
  try {
    for await (const record of parser) yield fromCsv(record as Record<string, string>)
  } catch (error) {
    if (failure !== undefined) throw failure
    if (error instanceof PlatformError) throw error
    throw new PlatformError(
      'invalid_field',
      `is not CSV: ${error instanceof Error ? error.message : ''}`,
      'csv',
    )
  }
}

function checkedHeader(header: string[]): string[] {
  const wrong = header.find((name) => !known.has(name) && !(name.startsWith(labelPrefix) && name.length > 6))
  if (wrong !== undefined || !header.includes('name')) {
    const what =
      wrong === undefined ? 'the column "name" is missing' : `column "${wrong.slice(0, 64)}" is not known`
    throw new PlatformError(
      'invalid_field',
      `${what}; the first line must name columns of ${columns.join(', ')}, label.*`,
      'csv',
    )
  }
  return header
}

function fromCsv(record: Readonly<Record<string, string>>): Row {
  const labels: Record<string, string> = {}
  const row: Record<string, unknown> = {}
  for (const [column, text] of Object.entries(record)) {
    if (column.startsWith(labelPrefix)) {
      if (text !== '') labels[column.slice(labelPrefix.length)] = text
    } else if (text === '') continue
    else if (column === 'groups') row.groups = text.split(/\s+/)
    else if (column === 'enabled') row.enabled = { true: true, false: false }[text.toLowerCase()] ?? text
    else row[column] = text
  }
  if (Object.keys(labels).length > 0) row.labels = labels
  return checked(row)
}

/** Types; what the values may be is checked where devices are made. */
function checked(row: Record<string, unknown>): Row {
  const { name } = row
  if (typeof name !== 'string') return { error: 'name: is missing' }
  const fail = (field: string, what: string): Row => ({ error: `${field}: ${what}`, name: name.slice(0, 64) })
  for (const [field, value] of Object.entries(row)) {
    switch (field) {
      case 'name':
      case 'id':
      case 'key':
      case 'description':
        if (typeof value !== 'string') return fail(field, 'must be a text')
        break
      case 'profile':
        if (typeof value !== 'string' && value !== null) return fail(field, 'must be a text or null')
        break
      case 'enabled':
        if (typeof value !== 'boolean') return fail(field, 'must be true or false')
        break
      case 'groups':
        if (!Array.isArray(value) || value.some((one) => typeof one !== 'string'))
          return fail(field, 'must be a list of ids of groups')
        break
      case 'labels':
        if (!isTexts(value)) return fail(field, 'must be an object of texts')
        break
      default:
        return fail(field.slice(0, 64), 'is not known here')
    }
  }
  return { row }
}

function isTexts(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.values(value).every((one) => typeof one === 'string')
}
