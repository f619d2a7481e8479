import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { generatedFiles } from '#scripts/codegen/files.ts'
import { typesFile } from '#scripts/codegen/types.ts'

describe('what is generated from the OpenAPI document', () => {
  for (const [file, content] of generatedFiles()) {
    it(`is as it is checked in: ${file.pathname.split('/').slice(-2).join('/')}`, () => {
      expect(
        readFileSync(file, 'utf8') === content,
        'run `npm run client` and look at the difference',
      ).to.equal(true)
    })
  }

  it('has types for what JSON schema can say', () => {
    const answer = {
      type: 'object',
      properties: {
        tree: { $ref: '#/components/schemas/Tree' },
        state: { enum: ["it's", 'b'] },
        size: { anyOf: [{ type: 'integer' }, { type: 'null' }] },
        text: { type: ['string', 'null'] },
        many: { type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'number' }] } },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        any: {},
      },
      required: ['tree', 'state'],
      additionalProperties: false,
    }
    const text = typesFile({
      paths: {
        '/x/{id}': {
          get: {
            operationId: 'getX',
            parameters: [{ in: 'path', name: 'id', required: true, schema: { type: 'string' } }],
            responses: {
              200: { description: 'done', content: { 'application/json': { schema: answer } } },
              404: { description: 'not_found, x_not_found' },
            },
          },
        },
      },
      components: { schemas: { Tree: { type: 'array', items: { $ref: '#/components/schemas/Tree' } } } },
    })
    expect(text).to.include("export type ProblemCode =\n  | 'not_found'\n  | 'x_not_found'\n")
    expect(text).to.include('export type Tree = Tree[]')
    for (const line of [
      'tree: Tree',
      "state: 'it\\'s' | 'b'",
      'size?: number | null',
      'text?: string | null',
      'many?: (string | number)[]',
      'labels?: { [key: string]: string }',
      'any?: unknown',
    ]) {
      expect(text, line).to.match(new RegExp(`^ +${line.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`, 'm'))
    }
  })
})
