import { printJson, printLine, table } from '#scripts/output.ts'

/** Rows whose widths are looked at before the first is printed. */
const pageRows = 200
const maxCell = 60

/** Prints a list while it comes in: a table, or one JSON document with the list under its name. */
export async function showList(
  items: AsyncIterable<unknown>,
  options: { name: string; columns: readonly string[]; json: boolean; empty: string },
): Promise<void> {
  if (options.json) return showJson(items, options.name)
  let { columns } = options
  let rows: string[][] = []
  let widths: readonly number[] | undefined
  const flush = (): void => {
    const head = columns.map(titleOf)
    const lines = table(head, rows, widths)
    for (const line of widths === undefined ? lines : lines.slice(1)) printLine(line)
    widths ??= head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)))
    rows = []
  }
  for await (const item of items) {
    if (columns.includes('*')) columns = spelledOut(columns, item)
    rows.push(columns.map((column) => cell(column, at(item, column))))
    if (rows.length === pageRows) flush()
  }
  if (rows.length > 0) flush()
  else if (widths === undefined) printLine(options.empty)
}

async function showJson(items: AsyncIterable<unknown>, name: string): Promise<void> {
  let before = `{${JSON.stringify(name)}:[`
  for await (const item of items) {
    process.stdout.write(before + JSON.stringify(item))
    before = ','
  }
  process.stdout.write(`${before === ',' ? '' : before}]}\n`)
}

/** Prints one thing: a field a line, or JSON. */
export function showOne(value: unknown, json: boolean): void {
  if (json || typeof value !== 'object' || value === null) return printJson(value)
  const entries = Object.entries(value).filter(([, one]) => one !== undefined)
  const width = Math.max(...entries.map(([name]) => name.length))
  for (const [name, one] of entries)
    printLine(`${name.padEnd(width)}  ${typeof one === 'string' ? one : JSON.stringify(one)}`.trimEnd())
}

/** `created_at` is CREATED, `device.name` is DEVICE. */
function titleOf(column: string): string {
  return column
    .replace(/_at$|\.name$/, '')
    .replaceAll(/[._]/g, ' ')
    .toUpperCase()
}

/** What is at a path like `device.name`. */
function at(value: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((inner, name) => {
    return typeof inner === 'object' && inner !== null
      ? (inner as Readonly<Record<string, unknown>>)[name]
      : undefined
  }, value)
}

/** `*` stands for all others that the first item has. */
function spelledOut(columns: readonly string[], item: unknown): string[] {
  const others = Object.keys(item ?? {}).filter((name) => !columns.includes(name))
  return columns.flatMap((column) => (column === '*' ? others : [column]))
}

function cell(column: string, value: unknown): string {
  const text = column === 'ts' && typeof value === 'number' ? new Date(value).toISOString() : textOf(value)
  return text.length > maxCell ? `${text.slice(0, maxCell - 3)}...` : text
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '-'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value === 'string') return value.replaceAll(/\p{Cc}/gu, ' ')
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value.join(',') || '-'
  if (Array.isArray(value) && value.length > 0 && value.every(isReading))
    return value.map(({ key, value: read }) => `${key}=${JSON.stringify(read)}`).join(' ')
  return JSON.stringify(value)
}

/** A value of a device. */
function isReading(one: unknown): one is { key: string; value: unknown } {
  return typeof one === 'object' && one !== null && 'key' in one && 'value' in one
}
