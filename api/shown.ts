import { z } from 'zod'

/** Leaves of a value what a schema names. `same`: all of it; `parse`: only the schema itself can say. */
type Prune = ((value: unknown) => unknown) | 'same' | 'parse'

/**
 * What of an answer is sent: what its schema names, so that no row shows more than was meant. The same as parsing by
 * the schema, but that it does not look whether values are right (tests do), and so takes a fraction of the time. Schemas
 * that change values are parsed.
 */
export function pruner(schema: z.ZodType): (value: unknown) => unknown {
  const prune = pruneOf(schema)
  if (prune === 'same') return (value) => value
  return prune === 'parse' ? (value) => schema.parse(value) : prune
}

function pruneOf(schema: z.ZodType): Prune {
  if (schema instanceof z.ZodObject) return ofObject(schema)
  if (schema instanceof z.ZodArray) return ofItems(pruneOf(schema.element as z.ZodType))
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional)
    return ofMaybe(pruneOf(schema.unwrap() as z.ZodType))
  if (schema instanceof z.ZodRecord) return ofValues(pruneOf(schema.valueType as z.ZodType))
  if (schema instanceof z.ZodUnion) return ofChoice(schema.options as readonly z.ZodType[])
  return plain.some((kind) => schema instanceof kind) ? 'same' : 'parse'
}

const plain = [
  z.ZodString,
  z.ZodStringFormat,
  z.ZodNumber,
  z.ZodBoolean,
  z.ZodNull,
  z.ZodEnum,
  z.ZodLiteral,
  z.ZodUnknown,
  z.ZodAny,
] as const

function ofObject(schema: z.ZodObject): Prune {
  const { catchall } = schema.def
  if (catchall !== undefined && !(catchall instanceof z.ZodNever)) return 'parse'
  return ofShape(Object.entries(schema.shape).map(([name, child]) => [name, pruneOf(child as z.ZodType)]))
}

function ofShape(shape: readonly (readonly [string, Prune])[]): Prune {
  if (shape.some(([, prune]) => prune === 'parse')) return 'parse'
  const names = shape.map(([name]) => name)
  const prunes = shape.map(([, prune]) => (typeof prune === 'function' ? prune : null))
  return (value) => {
    if (typeof value !== 'object' || value === null) return value
    const whole = value as Readonly<Record<string, unknown>>
    const shown: Record<string, unknown> = {}
    for (let i = 0; i < names.length; i++) {
      const one = whole[names[i]]
      if (one === undefined) continue
      const prune = prunes[i]
      shown[names[i]] = prune === null ? one : prune(one)
    }
    return shown
  }
}

function ofItems(item: Prune): Prune {
  if (typeof item !== 'function') return item
  return (value) => (Array.isArray(value) ? value.map(item) : value)
}

function ofMaybe(inner: Prune): Prune {
  if (typeof inner !== 'function') return inner
  return (value) => (value === null || value === undefined ? value : inner(value))
}

function ofValues(item: Prune): Prune {
  if (typeof item !== 'function') return item
  return (value) => {
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, item(one)]))
  }
}

/** Of several objects: what any of them names. */
function ofChoice(options: readonly z.ZodType[]): Prune {
  if (options.every((one) => pruneOf(one) === 'same')) return 'same'
  if (!options.every((one) => one instanceof z.ZodObject)) return 'parse'
  const all = new Map<string, Prune>()
  for (const option of options) {
    if (pruneOf(option) === 'parse') return 'parse'
    for (const [name, child] of Object.entries(option.shape)) {
      const prune = pruneOf(child as z.ZodType)
      const known = all.get(name)
      if (known !== undefined && (known !== 'same' || prune !== 'same')) return 'parse'
      all.set(name, prune)
    }
  }
  return ofShape(Array.from(all))
}
