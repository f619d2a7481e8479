import { expect } from 'chai'
import { z } from 'zod'
import { pruner } from '#api/shown.ts'

const inner = z.object({ a: z.string(), b: z.number().nullable().optional() })
const cases: [name: string, schema: z.ZodType, value: unknown][] = [
  ['an object', inner, { a: 'x', b: 1, secret: 's' }],
  ['null and absent fields', inner, { a: 'x', b: null }],
  [
    'a list',
    z.object({ items: z.array(inner), next: z.string().nullable() }),
    { items: [{ a: 'x', secret: 's' }], next: null, more: 1 },
  ],
  ['a record', z.record(z.string(), inner), { one: { a: 'x', secret: 's' } }],
  ['what may be anything', z.object({ value: z.unknown() }), { value: { deep: [1, { x: 2 }] }, secret: 's' }],
  ['one of several', z.object({ one: z.union([z.string(), z.number(), z.null()]) }), { one: 5, secret: 's' }],
  ['a nested object that may be null', z.object({ of: inner.nullable() }), { of: { a: 'x', secret: 's' } }],
  ['a loose object', z.looseObject({ a: z.string() }), { a: 'x', more: 1 }],
  [
    'what is changed by its schema',
    z.object({ n: z.number().transform((n) => n + 1) }),
    { n: 1, secret: 's' },
  ],
  ['a default', z.object({ n: z.number().default(7) }), { secret: 's' }],
]

describe('What of an answer is sent', () => {
  for (const [name, schema, value] of cases) {
    it(`is what its schema names, of ${name}: no secret of a row gets out`, () => {
      expect(pruner(schema)(value)).to.deep.equal(schema.parse(value))
    })
  }

  it('of one of several objects is what any of them names', () => {
    const either = z.union([z.strictObject({ a: z.string() }), z.strictObject({ b: z.number() })])
    expect(pruner(z.array(either))([{ a: 'x', secret: 1 }, { b: 2 }])).to.deep.equal([{ a: 'x' }, { b: 2 }])
  })
})
