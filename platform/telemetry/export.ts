import type { AggregateName, AggregatePage, AggregatePlace } from './aggregates.ts'
import type { Point, TelemetryValue } from './point.ts'

export const exportFormats = ['csv', 'ndjson'] as const
export type ExportFormat = (typeof exportFormats)[number]

/** Points that are read and written at a time: what an export holds in memory. */
const pointsAtATime = 5_000

/** Where the next page begins. */
type Next<P> = P | null

/**
 * Values as text, a part at a time; the next part is read when the one before was taken. `page` reads points: at most
 * so many, after that place.
 *
 * CSV (RFC 4180) has the columns time (RFC 3339, UTC), key, value and type; texts are always quoted, and objects are JSON.
 * NDJSON has an object {ts, key, value} on each line. Both can be imported again.
 */
export async function* exportText<P>(
  format: ExportFormat,
  page: (limit: number, after: P | undefined) => Promise<{ points: readonly Point[]; next: Next<P> }>,
): AsyncGenerator<string> {
  const line = format === 'csv' ? csvLine : jsonLine
  if (format === 'csv') yield 'time,key,value,type\r\n'
  let after: P | undefined
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- part after part
    const { points, next } = await page(pointsAtATime, after)
    let text = ''
    for (const point of points) text += line(point)
    if (text !== '') yield text
    if (next === null) return
    after = next
  }
}

/**
 * The same of aggregates: columns time, key and the wanted ones, a row a step; what a step does not have is empty in CSV and
 * null in NDJSON.
 */
export async function* exportSteps(
  format: ExportFormat,
  wanted: readonly AggregateName[],
  page: (limit: number, after: AggregatePlace | undefined) => Promise<AggregatePage>,
): AsyncGenerator<string> {
  if (format === 'csv') yield `time,key,${wanted.join(',')}\r\n`
  let after: AggregatePlace | undefined
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- part after part
    const { items, next } = await page(pointsAtATime, after)
    let text = ''
    for (const item of items) {
      if (format === 'ndjson') text += `${JSON.stringify(item)}\n`
      else
        text += `${csvTime(item.ts)},${csvKey(item.key)},${wanted.map((name) => csvCell(item[name])).join(',')}\r\n`
    }
    if (text !== '') yield text
    if (next === null) return
    after = next
  }
}

function csvCell(value: TelemetryValue | null | undefined): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'object') return quoted(JSON.stringify(value))
  return typeof value === 'string' ? quoted(value) : String(value)
}

function jsonLine({ ts, key, value }: Point): string {
  return `{"ts":${ts},"key":${JSON.stringify(key)},"value":${JSON.stringify(value)}}\n`
}

function csvLine({ ts, key, value }: Point): string {
  return `${csvTime(ts)},${csvKey(key)},${csvValue(value)}\r\n`
}

function csvTime(ts: number): string {
  return new Date(ts).toISOString()
}

function csvKey(key: string): string {
  return plain.test(key) ? key : quoted(key)
}

/** What needs no quotes. */
const plain = /^[\w./:-]*$/

function csvValue(value: TelemetryValue): string {
  switch (typeof value) {
    case 'number':
      return `${value},number`
    case 'boolean':
      return `${value},boolean`
    case 'string':
      return `${quoted(value)},string`
    default:
      return `${quoted(JSON.stringify(value))},json`
  }
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`
}
