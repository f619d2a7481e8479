interface Schema {
  readonly $ref?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
  readonly type?: string | readonly string[]
  readonly properties?: Record<string, Schema>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly minItems?: number
  readonly minimum?: number
  readonly exclusiveMinimum?: number
  readonly minLength?: number
  readonly format?: string
}

/** A value that a schema of the OpenAPI document takes; properties that `known` names have its values. */
export function sample(
  schema: Schema,
  document: object,
  known: Readonly<Record<string, string>>,
  name = '',
): unknown {
  if (schema.$ref !== undefined) return sample(resolve(schema.$ref, document), document, known, name)
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return schema.enum[0]
  const [one] = schema.anyOf ?? schema.oneOf ?? schema.allOf ?? []
  if (one !== undefined) return sample(one, document, known, name)
  const [type] = [schema.type ?? 'object'].flat()
  switch (type) {
    case 'string':
      return known[name] ?? text(schema, name)
    case 'integer':
    case 'number':
      return schema.minimum ?? (schema.exclusiveMinimum === undefined ? 1 : schema.exclusiveMinimum + 1)
    case 'boolean':
      return true
    case 'array': {
      const [id] = [name.replace(/s$/, '')]
      const item = sample(schema.items ?? {}, document, known, id)
      return Array.from({ length: Math.max(1, schema.minItems ?? 1) }, () => item)
    }
    case 'null':
      return null
    default:
      // Optional ones too: they name other things.
      return Object.fromEntries(
        Object.entries(schema.properties ?? {})
          .filter(([key]) => schema.required?.includes(key) === true || key in known || `${key}s` in known)
          .map(([key, property]) => [key, sample(property, document, known, key)]),
      )
  }
}

function text({ format, minLength }: Schema, name: string): string {
  if (format === 'date-time') return '2026-11-21T12:00:00Z'
  if (name === 'email') return 'somebody@example.com'
  return 'made-up-by-a-test'.padEnd(minLength ?? 0, 'x')
}

function resolve(ref: string, document: object): Schema {
  let found: unknown = document
  for (const part of ref.split('/').slice(1)) found = (found as Record<string, unknown>)[part]
  return found as Schema
}
