import type { Fields } from './key-codec.ts'
import type { AnyTable, ColumnType } from './table.ts'

/**
 * Columns outside the key as bytes: one presence bit a column in declaration order (7 a byte, the high bit says
 * that another byte follows), then the columns that are there.
 *
 * | type             | bytes                          |
 * |------------------|--------------------------------|
 * | `text`, `blob`   | length as LEB128, then bytes   |
 * | `int`            | 4, little-endian               |
 * | `long`, `double` | IEEE 754 double, little-endian |
 * | `boolean`        | 1                              |
 *
 * A reader whose table has fewer columns ignores what follows its own; one whose table has more finds them absent.
 * So columns may be added at the end of a table, and nothing else may change.
 */
export interface ValueColumn {
  readonly name: string
  readonly type: ColumnType
  /** "table.column" for error messages. */
  readonly label: string
}

export function valueColumns(table: AnyTable): ValueColumn[] {
  return Object.entries(table.columns).map(([name, type]) => ({ name, type, label: `${table.name}.${name}` }))
}

/** Bytes of the row's columns, about. A TypeError names a column of the wrong type. */
export function checkValue(columns: readonly ValueColumn[], row: Fields): number {
  let bytes = 0
  for (const column of columns) {
    const value = row[column.name]
    if (value === undefined) continue
    if (!fits(column.type, value)) throw mismatch(column, value)
    bytes += typeof value === 'string' || value instanceof Uint8Array ? value.length : 8
  }
  return bytes
}

/** Upper bound of the bytes that `writeValue` writes for this row. */
export function valueRoom(columns: readonly ValueColumn[], row: Fields): number {
  let room = columns.length
  for (const column of columns) {
    const value = row[column.name]
    if (typeof value === 'string') room += value.length * 3
    else if (value instanceof Uint8Array) room += value.length
    room += 8
  }
  return room
}

/** Writes the row's columns at `at`, returns the position after them. A TypeError names a column of the wrong type. */
export function writeValue(target: Buffer, at: number, columns: readonly ValueColumn[], row: Fields): number {
  let last = columns.length - 1
  while (last >= 0 && row[columns[last].name] === undefined) last--
  let presence = at
  let position = at + Math.floor(Math.max(last, 0) / 7) + 1
  let bits = 0
  for (let index = 0; index <= last; index++) {
    const column = columns[index]
    const value = row[column.name]
    if (value !== undefined) {
      bits |= 1 << (index % 7)
      position = writeColumn(target, position, column, value)
    }
    if (index % 7 === 6 && index < last) {
      target[presence++] = bits | 0x80
      bits = 0
    }
  }
  target[presence] = bits
  return position
}

/** Reads what `writeValue` wrote into `row`; blobs are copies, absent columns are left out. */
export function readValue(source: Buffer, at: number, columns: readonly ValueColumn[], row: Fields): void {
  let position = at
  while (source[position++] >= 0x80);
  for (let index = 0; index < columns.length; index++) {
    const bits = source[at + Math.floor(index / 7)]
    if ((bits & (1 << (index % 7))) !== 0) {
      const column = columns[index]
      position = readColumn(source, position, column, row)
    }
    if (index % 7 === 6 && bits < 0x80) return
  }
}

function writeColumn(target: Buffer, at: number, column: ValueColumn, value: unknown): number {
  switch (column.type) {
    case 'text': {
      if (typeof value !== 'string') throw mismatch(column, value)
      const length = Buffer.byteLength(value)
      const position = writeLength(target, at, length)
      target.write(value, position, length)
      return position + length
    }
    case 'blob': {
      if (!(value instanceof Uint8Array)) throw mismatch(column, value)
      const position = writeLength(target, at, value.length)
      target.set(value, position)
      return position + value.length
    }
    case 'int':
      if (typeof value !== 'number' || (value | 0) !== value) throw mismatch(column, value)
      return target.writeInt32LE(value, at)
    case 'long':
      if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw mismatch(column, value)
      // Not -0, which is no integer of another engine.
      return target.writeDoubleLE(value + 0, at)
    case 'double':
      if (typeof value !== 'number') throw mismatch(column, value)
      return target.writeDoubleLE(value, at)
    default:
      if (typeof value !== 'boolean') throw mismatch(column, value)
      target[at] = value ? 1 : 0
      return at + 1
  }
}

function readColumn(source: Buffer, at: number, column: ValueColumn, row: Fields): number {
  switch (column.type) {
    case 'int':
      row[column.name] = source.readInt32LE(at)
      return at + 4
    case 'long':
    case 'double':
      row[column.name] = source.readDoubleLE(at)
      return at + 8
    case 'boolean':
      row[column.name] = source[at] === 1
      return at + 1
    default: {
      let length = source[at] & 0x7f
      let position = at
      for (let shift = 7; source[position] >= 0x80; shift += 7) length |= (source[++position] & 0x7f) << shift
      const start = position + 1
      const end = start + length
      row[column.name] =
        column.type === 'text'
          ? source.toString('utf8', start, end)
          : Buffer.from(source.subarray(start, end))
      return end
    }
  }
}

function writeLength(target: Buffer, at: number, length: number): number {
  let position = at
  let rest = length
  while (rest >= 0x80) {
    target[position++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  target[position++] = rest
  return position
}

function fits(type: ColumnType, value: unknown): boolean {
  switch (type) {
    case 'text':
      return typeof value === 'string'
    case 'blob':
      return value instanceof Uint8Array
    case 'int':
      return typeof value === 'number' && (value | 0) === value
    case 'long':
      return Number.isSafeInteger(value)
    case 'double':
      return typeof value === 'number'
    default:
      return typeof value === 'boolean'
  }
}

const wanted: Record<ColumnType, string> = {
  text: 'a string',
  blob: 'bytes',
  int: 'a 32-bit integer',
  long: 'a safe integer',
  double: 'a number',
  boolean: 'a boolean',
}

function mismatch(column: ValueColumn, value: unknown): TypeError {
  const got = typeof value === 'number' ? String(value) : value === null ? 'null' : typeof value
  return new TypeError(`${column.label}: expected ${wanted[column.type]}, got ${got}`)
}
