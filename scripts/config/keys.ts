import { z } from 'zod'

/** The part that we read of the JSON Schema that zod makes. */
const schemaNode = z.object({
  type: z.string().optional(),
  enum: z.array(z.unknown()).optional(),
  get properties() {
    return z.record(z.string(), schemaNode).optional()
  },
  get items() {
    return schemaNode.optional()
  },
  default: z.unknown().optional(),
  description: z.string().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  pattern: z.string().optional(),
  required: z.array(z.string()).optional(),
})

export type SchemaNode = z.output<typeof schemaNode>

/** One key of a configuration, as `--help` lists it. */
export interface ConfigKey {
  /** `mqtt.receive_maximum`; within the elements of a list `auth.users[].username`. */
  readonly path: string
  /** What may stand there, in words: `a whole number from 1 to 65535`. */
  readonly expected: string
  /** Absent: the key has none. */
  readonly default: unknown
  /** Whether it must be given when what holds it is given. */
  readonly required: boolean
  readonly description: string
}

export function schemaOf(schema: z.ZodType): SchemaNode {
  return schemaNode.parse(z.toJSONSchema(schema, { io: 'input' }))
}

/** Every key of a schema in its order. */
export function configKeys(node: SchemaNode, prefix = ''): ConfigKey[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const path = `${prefix}${name}`
    if (child.properties !== undefined) return configKeys(child, `${path}.`)
    const key = {
      path,
      expected: expected(child),
      default: child.default,
      required: node.required?.includes(name) ?? false,
      description: child.description ?? '',
    }
    return [key, ...(child.items?.properties === undefined ? [] : configKeys(child.items, `${path}[].`))]
  })
}

/** The node at a path; list elements are numbers. Undefined: there is no such key. */
export function nodeAt(node: SchemaNode, path: readonly PropertyKey[]): SchemaNode | undefined {
  let at: SchemaNode | undefined = node
  for (const step of path) {
    if (at === undefined) return undefined
    if (at.items !== undefined && /^\d+$/.test(String(step))) at = at.items
    else at = Object.hasOwn(at.properties ?? {}, step) ? at.properties?.[String(step)] : undefined
  }
  return at
}

/** What a value at this node may be, in words. */
export function expected(node: SchemaNode): string {
  if (node.enum !== undefined) return `one of ${node.enum.join(', ')}`
  switch (node.type) {
    case 'integer':
      return `a whole number${range(node)}`
    case 'number':
      return `a number${range(node)}`
    case 'boolean':
      return 'true or false'
    case 'array':
      return node.items?.type === 'object' ? 'a list of sections' : 'a list of texts'
    case 'object':
      return `a section with the keys ${Object.keys(node.properties ?? {}).join(', ')}`
    default:
      return node.pattern === undefined ? 'a text' : `a text like ${node.pattern}`
  }
}

function range({ minimum, maximum }: SchemaNode): string {
  const low = minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? undefined : minimum
  const high = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? undefined : maximum
  if (low !== undefined && high !== undefined) return ` from ${low} to ${high}`
  if (low !== undefined) return ` of at least ${low}`
  return high === undefined ? '' : ` of at most ${high}`
}
