import * as fc from 'fast-check'
import { z } from 'zod'

/** The part of a JSON Schema that values are made of. */
const schemaNode = z.object({
  $ref: z.string().optional(),
  type: z.union([z.string(), z.array(z.string())]).optional(),
  enum: z.array(z.unknown()).optional(),
  const: z.unknown().optional(),
  format: z.string().optional(),
  pattern: z.string().optional(),
  required: z.array(z.string()).optional(),
  minLength: z.number().optional(),
  maxLength: z.number().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  maxItems: z.number().optional(),
  get properties() {
    return z.record(z.string(), schemaNode).optional()
  },
  get items() {
    return schemaNode.optional()
  },
  get anyOf() {
    return z.array(schemaNode).optional()
  },
  get oneOf() {
    return z.array(schemaNode).optional()
  },
})
type SchemaNode = z.output<typeof schemaNode>

/** Texts that have broken programs: paths, controls, halves of characters, names of prototypes, queries, very long ones. */
export const hostileText = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '.',
    '..',
    '../..',
    '%2e%2e',
    '%00',
    '\u0000',
    'a\u0000b',
    '\ud800',
    '\udfff',
    '\u202e',
    '\ufeff',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'null',
    'undefined',
    'NaN',
    '-1',
    '0',
    '1e999',
    '0x10',
    '9007199254740993',
    '-0',
    "' OR 1=1 --",
    '{"$gt":""}',
    '${7*7}',
    '<script>',
    'a'.repeat(300),
    'é'.repeat(200),
    '👩‍👩‍👧‍👦'.repeat(20),
    '*',
    '#',
    '+',
    '$SYS/#',
    '/',
    '//',
    '\\',
    ',',
    ',,',
    'a,,b',
    '\r\nx: y',
    '%',
    '%zz',
    '2026-02-30',
    '2026-11-21T25:00:00Z',
    '99999999999999999999',
    '!*',
    'me',
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
)

/** Any JSON, and what comes near to it. */
export const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  hostileText,
  fc.constantFrom(
    null,
    true,
    false,
    0,
    -1,
    1.5,
    1e308,
    -1e308,
    2 ** 53,
    2 ** 31,
    5e-324,
    [],
    {},
    [[]],
    [null],
    { a: {} },
  ),
  fc.jsonValue({ maxDepth: 3 }),
)

/** Values that a schema describes, as far as it says; good enough to come past the first gate. */
export function valuesOf(
  schema: unknown,
  components: Readonly<Record<string, unknown>>,
): fc.Arbitrary<unknown> {
  const make = (node: SchemaNode, depth: number): fc.Arbitrary<unknown> => {
    if (depth > 6) return fc.constant(null)
    if (node.$ref !== undefined)
      return make(schemaNode.parse(components[node.$ref.split('/').at(-1) ?? '']), depth + 1)
    if (node.enum !== undefined) return fc.constantFrom(...node.enum)
    if (node.const !== undefined) return fc.constant(node.const)
    const choices = node.anyOf ?? node.oneOf
    if (choices !== undefined) return fc.oneof(...choices.map((one) => make(one, depth + 1)))
    const types = [node.type ?? 'any'].flat()
    return fc.oneof(...types.map((type) => ofType(node, type, depth)))
  }
  const ofType = (node: SchemaNode, type: string, depth: number): fc.Arbitrary<unknown> => {
    switch (type) {
      case 'object':
        return fc.record(
          Object.fromEntries(
            Object.entries(node.properties ?? {}).map(([name, one]) => [name, make(one, depth + 1)]),
          ),
          { requiredKeys: node.required ?? [] },
        )
      case 'array':
        return fc.array(node.items === undefined ? hostileValue : make(node.items, depth + 1), {
          maxLength: Math.min(node.maxItems ?? 3, 3),
        })
      case 'integer':
        return fc.integer({
          min: Math.max(node.minimum ?? -5, -(2 ** 31)),
          max: Math.min(node.maximum ?? 1000, 2 ** 31 - 1),
        })
      case 'number':
        return fc.double({ noNaN: true, noDefaultInfinity: true })
      case 'boolean':
        return fc.boolean()
      case 'null':
        return fc.constant(null)
      case 'string':
        return text(node)
      default:
        return hostileValue
    }
  }
  return make(schemaNode.parse(schema), 0)
}

function text({ pattern, format, minLength = 0, maxLength = 20 }: SchemaNode): fc.Arbitrary<string> {
  if (format === 'date-time') return fc.constantFrom('2026-11-21T12:00:00Z', '2030-01-01T00:00:00.000Z')
  if (format === 'date') return fc.constantFrom('2026-11-21', '2026-11-01')
  if (format === 'email') return fc.constantFrom('a@example.org', 'b@example.org')
  if (pattern !== undefined) {
    try {
      return fc.stringMatching(new RegExp(pattern, 'u'), { maxLength: Math.min(maxLength, 64) })
    } catch {
      // fast-check cannot make texts of every pattern (look-ahead).
    }
  }
  const min = Math.min(minLength, 300)
  return fc.string({ minLength: min, maxLength: Math.max(min, Math.min(maxLength, 30)) })
}
