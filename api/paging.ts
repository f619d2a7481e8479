import { z } from 'zod'
import { Problem } from './problems.ts'

const maxPage = 1000

/** Query parameters of lists. */
export const pageQuery = {
  limit: z.coerce.number('must be a whole number').int().min(1).max(maxPage).default(100),
  cursor: z.string().min(1).max(2048).optional().describe('`next` of the page before'),
}

export function pageOf<T extends z.ZodType>(
  item: T,
): z.ZodObject<{ items: z.ZodArray<T>; next: z.ZodNullable<z.ZodString> }> {
  return z.object({
    items: z.array(item),
    next: z.string().nullable().describe('cursor of the next page; null: this was the last one'),
  })
}

/** No key of a row can hold half a character. */
function wellFormed(_key: string, value: unknown): unknown {
  if (typeof value === 'string' && !value.isWellFormed()) throw new TypeError('half a character')
  return value
}

/** Cursors are opaque to clients, so that their content may change. */
export function encodeCursor(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/** Problem `invalid_request` unless `encodeCursor` made it of what the schema describes. */
export function decodeCursor<T extends z.ZodType>(cursor: string, schema: T): z.output<T> {
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString(), wellFormed))
  } catch (error) {
    const message = 'is not a cursor of this list; use `next` of the page before as it came'
    throw new Problem('invalid_request', `query.cursor: ${message}`, {
      errors: [{ field: 'query.cursor', message }],
      cause: error,
    })
  }
}
