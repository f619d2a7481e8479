import type { AnyTable, ColumnType } from './table.ts'

/** A row or key as the codecs see it: values by column name. */
export type Fields = Record<string, unknown>

/**
 * Keys as bytes whose order is the order of the columns:
 *
 * | type         | bytes                                                                          |
 * |--------------|--------------------------------------------------------------------------------|
 * | `text`       | UTF-8, 00 written as 01 01 and 01 as 01 02, then a 00: a prefix sorts first     |
 * | `blob`       | the same                                                                       |
 * | `int`        | 4 bytes big-endian, sign bit flipped                                           |
 * | `long`       | 8 bytes big-endian, sign bit flipped                                           |
 */
export interface KeyColumn {
  readonly name: string
  readonly type: ColumnType
  /** "table.column" for error messages. */
  readonly label: string
}

/** Longest key in bytes. lmdb-js takes 1,978 with 4 KiB pages; the expiry index puts a few bytes in front of a key. */
export const maxKeyBytes = 1970

/** Bytes that a buffer needs beyond the start of a key while it is encoded: checks come after a column is written. */
export const keyRoom = maxKeyBytes * 8

export function keyColumns(table: AnyTable, columns: Readonly<Record<string, ColumnType>>): KeyColumn[] {
  return Object.entries(columns).map(([name, type]) => {
    const label = `${table.name}.${name}`
    if (type === 'double' || type === 'boolean')
      throw new TypeError(`${label}: a ${type} cannot be part of a key`)
    return { name, type, label }
  })
}

/**
 * Bytes that the columns may take at most. TypeError or RangeError names a column that cannot be part of a key.
 * A sum over `maxKeyBytes` does not yet mean that the key is too long: only encoding tells.
 */
export function checkKeyColumns(columns: readonly KeyColumn[], key: Fields): number {
  let bytes = 0
  for (const column of columns) {
    const value = key[column.name]
    switch (column.type) {
      case 'text':
        if (typeof value !== 'string') throw mismatch(column, 'a string', value)
        if (!value.isWellFormed()) throw illFormed(column)
        bytes += value.length * 3 + 1
        break
      case 'blob':
        if (!(value instanceof Uint8Array)) throw mismatch(column, 'bytes', value)
        bytes += value.length * 2 + 1
        break
      case 'int':
        if (typeof value !== 'number' || (value | 0) !== value)
          throw mismatch(column, 'a 32-bit integer', value)
        bytes += 4
        break
      default:
        if (!Number.isSafeInteger(value)) throw mismatch(column, 'a safe integer', value)
        bytes += 8
    }
  }
  return bytes
}

/** Writes one key column at `at` and returns the position after it. TypeError or RangeError names the column. */
export function writeKeyColumn(target: Buffer, at: number, column: KeyColumn, value: unknown): number {
  switch (column.type) {
    case 'text':
      if (typeof value !== 'string') throw mismatch(column, 'a string', value)
      if (value.length > maxKeyBytes) throw tooLong(column)
      return writeText(target, at, value, column)
    case 'blob':
      if (!(value instanceof Uint8Array)) throw mismatch(column, 'bytes', value)
      if (value.length > maxKeyBytes) throw tooLong(column)
      return writeEscaped(target, at, value)
    case 'int':
      if (typeof value !== 'number' || (value | 0) !== value)
        throw mismatch(column, 'a 32-bit integer', value)
      return target.writeInt32BE(value ^ 0x80000000, at)
    default:
      if (typeof value !== 'number' || !Number.isSafeInteger(value))
        throw mismatch(column, 'a safe integer', value)
      return writeLong(target, at, value)
  }
}

/** Reads the columns of a key from `at`; blobs are copies. Adds them to `row` and returns the position after them. */
export function readKeyColumns(
  source: Buffer,
  at: number,
  columns: readonly KeyColumn[],
  row: Fields,
): number {
  let position = at
  for (const column of columns) {
    switch (column.type) {
      case 'int':
        row[column.name] = source.readInt32BE(position) ^ 0x80000000
        position += 4
        break
      case 'long':
        row[column.name] =
          ((source.readInt32BE(position) ^ 0x80000000) | 0) * 0x100000000 + source.readUInt32BE(position + 4)
        position += 8
        break
      default: {
        const end = source.indexOf(0, position)
        const bytes = unescaped(source, position, end)
        row[column.name] = column.type === 'text' ? bytes.toString() : Buffer.from(bytes)
        position = end + 1
      }
    }
  }
  return position
}

export function tooLong(column: { label: string }): RangeError {
  return new RangeError(
    `${column.label}: the key would be longer than ${maxKeyBytes} bytes; use a hash of it`,
  )
}

function mismatch(column: KeyColumn, wanted: string, value: unknown): TypeError {
  const got = typeof value === 'number' ? String(value) : value === null ? 'null' : typeof value
  return new TypeError(`${column.label}: expected ${wanted}, got ${got}`)
}

function illFormed(column: KeyColumn): RangeError {
  return new RangeError(`${column.label}: not well-formed Unicode (a lone surrogate)`)
}

function writeText(target: Buffer, at: number, text: string, column: KeyColumn): number {
  let position = at
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    // Not plain ASCII: the encoder does it; what was written so far is overwritten.
    if (code > 0x7f) {
      if (!text.isWellFormed())
        throw new RangeError(`${column.label}: not well-formed Unicode (a lone surrogate)`)
      return writeEscaped(target, at, Buffer.from(text))
    }
    if (code < 2) {
      target[position++] = 1
      target[position++] = code + 1
    } else target[position++] = code
  }
  target[position++] = 0
  return position
}

function writeEscaped(target: Buffer, at: number, bytes: Uint8Array): number {
  let position = at
  for (const byte of bytes) {
    if (byte < 2) {
      target[position++] = 1
      target[position++] = byte + 1
    } else target[position++] = byte
  }
  target[position++] = 0
  return position
}

function unescaped(source: Buffer, start: number, end: number): Buffer {
  let from = source.indexOf(1, start)
  if (from === -1 || from >= end) return source.subarray(start, end)
  const bytes = Buffer.from(source.subarray(start, end))
  from -= start
  let length = from
  for (let index = from; index < bytes.length; index++) {
    bytes[length++] = bytes[index] === 1 ? bytes[++index] - 1 : bytes[index]
  }
  return bytes.subarray(0, length)
}

function writeLong(target: Buffer, at: number, value: number): number {
  target.writeInt32BE(Math.floor(value / 0x100000000) ^ 0x80000000, at)
  return target.writeUInt32BE(value >>> 0, at + 4)
}
