/** What JSON can say, but null; `object` is a JSON object or array. */
export type TelemetryValue = number | string | boolean | object

export interface Point {
  readonly key: string
  /** Milliseconds since 1970. */
  readonly ts: number
  readonly value: TelemetryValue
}

/** A value as the columns of a table; the others are undefined. */
export interface ValueColumns {
  number?: number | undefined
  text?: string | undefined
  flag?: boolean | undefined
  json?: string | undefined
}

/** Puts a value into its column. An object's text is `json`, made when it was checked. */
export function setValue(row: ValueColumns, value: TelemetryValue, json: string | undefined): void {
  row.number = typeof value === 'number' ? value : undefined
  row.text = typeof value === 'string' ? value : undefined
  row.flag = typeof value === 'boolean' ? value : undefined
  row.json = json
}

export function getValue(row: Readonly<ValueColumns>): TelemetryValue {
  const { number, text, flag, json } = row
  if (json === undefined) return number ?? text ?? flag ?? 0
  const value: unknown = JSON.parse(json)
  return typeof value === 'object' && value !== null ? value : json
}
