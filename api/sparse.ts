import { z } from 'zod'
import { Problem } from './problems.ts'

const maxFields = 50

/** Query parameter of routes with `fields`. */
export const fieldsQuery = {
  fields: z
    .string()
    .min(1)
    .max(2048)
    .optional()
    .describe('only these fields of the answer (of each item of a list), separated by commas; default: all'),
}

/** Leaves out of an answer what was not asked for. */
export interface Sparse {
  /** Problem `invalid_request` if a name is not a field of the answer. */
  parse(text: string): ReadonlySet<string>
  pick(answer: unknown, fields: ReadonlySet<string>): unknown
}

/** For an object, or for a list of objects in `items`. TypeError: the schema is neither. */
export function sparse(answer: z.ZodType): Sparse {
  const list = itemOf(answer)
  const shape = shapeOf(list ?? answer)
  if (shape === undefined)
    throw new TypeError('fields: the answer is neither an object nor a list of objects')
  return {
    parse: (text) => {
      const names = text.split(',').map((name) => name.trim())
      const unknown = names.find((name) => !Object.hasOwn(shape, name))
      if (unknown === undefined && names.length <= maxFields) return new Set(names)
      const message =
        unknown === undefined
          ? `must be at most ${maxFields} names`
          : `"${unknown.slice(0, 64)}" is not a field; there are ${Object.keys(shape).join(', ')}`
      throw new Problem('invalid_request', `query.fields: ${message}`, {
        errors: [{ field: 'query.fields', message }],
      })
    },
    pick: (whole, fields) => {
      if (list === undefined) return pick(whole, fields)
      const { items, ...rest } = whole as { items: readonly unknown[] }
      return { items: items.map((item) => pick(item, fields)), ...rest }
    },
  }
}

function pick(item: unknown, fields: ReadonlySet<string>): unknown {
  return Object.fromEntries(Object.entries(item as object).filter(([name]) => fields.has(name)))
}

function itemOf(answer: z.ZodType): z.ZodType | undefined {
  if (!(answer instanceof z.ZodObject)) return undefined
  const items: unknown = answer.shape.items
  return items instanceof z.ZodArray ? (items.element as z.ZodType) : undefined
}

function shapeOf(schema: z.ZodType): Readonly<Record<string, unknown>> | undefined {
  return schema instanceof z.ZodObject ? schema.shape : undefined
}
