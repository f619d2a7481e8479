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

function jsonLine({ ts, key, value }: Point): string {
  return `{"ts":${ts},"key":${JSON.stringify(key)},"value":${JSON.stringify(value)}}\n`
}

function csvLine({ ts, key, value }: Point): string {
  return `${new Date(ts).toISOString()},${plain.test(key) ? key : quoted(key)},${csvValue(value)}\r\n`
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
