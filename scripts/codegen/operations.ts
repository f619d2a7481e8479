import {
  type ApiDescription,
  generated,
  operationsOf,
  type Operation,
  resolved,
  type Schema,
} from './document.ts'

/** What the client must know of operations while it runs. */
export function clientFile(document: ApiDescription): string {
  const having = (place: string, name: string): string[] =>
    operationsOf(document)
      .filter(({ operation }) =>
        operation.parameters?.some((one) => one.in === place && one.name.toLowerCase() === name),
      )
      .map(({ method, path }) => `${method.toUpperCase()} ${path}`)
  return `${generated}
/** Operations that take an Idempotency-Key: sent twice with the same one, they are done once. */
export const withIdempotencyKey: ReadonlySet<string> = new Set(${list(having('header', 'idempotency-key'))})

/** Operations whose organisation may be chosen. */
export const withOrganisation: ReadonlySet<string> = new Set(${list(having('query', 'organisation'))})
`
}

function list(names: readonly string[]): string {
  return `[\n${names.map((name) => `  '${name}',\n`).join('')}]`
}

/** How a field of a request is written on the command line. */
type FieldKind = 'text' | 'integer' | 'number' | 'boolean' | 'list' | 'labels' | 'json'

export interface FieldDescription {
  readonly name: string
  readonly kind: FieldKind
  readonly required?: true
  readonly nullable?: true
  readonly choices?: readonly string[]
  readonly text?: string
}

/** What the command line must know of an operation. */
export interface OperationDescription {
  readonly method: string
  readonly path: string
  readonly summary: string
  readonly query: readonly FieldDescription[]
  /** Fields of a JSON body; null: it has none. */
  readonly body: readonly FieldDescription[] | null
  /** Media types of a body that is a file. */
  readonly files: readonly string[]
  readonly ifMatch: boolean
  /** `list`: with \`items\` and \`next\`; else the media type of a stream. */
  readonly answer: 'none' | 'list' | 'page' | 'one' | (string & {})
}

/** Operations as the command line needs them, by their ids. */
export function commandLineFile(document: ApiDescription): string {
  const entries = operationsOf(document)
    .filter(({ path }) => path.startsWith('/v1/'))
    .map(({ method, path, operation }): [string, OperationDescription] => [
      operation.operationId,
      {
        method: method.toUpperCase(),
        path,
        summary: operation.summary ?? '',
        query: queryOf(operation, document),
        body: bodyOf(operation, document),
        files: Object.keys(operation.requestBody?.content ?? {}).filter((type) => !isJson(type)),
        ifMatch: operation.parameters?.some((one) => one.name.toLowerCase() === 'if-match') === true,
        answer: answerOf(operation, document),
      },
    ])
  const lines = entries.map(([id, description]) => `  ${id}: ${JSON.stringify(description)},\n`)
  return `${generated}
import type { OperationDescription } from '#scripts/codegen/operations.ts'

export const operations = {
${lines.join('')}} satisfies Record<string, OperationDescription>
`
}

function queryOf({ parameters = [] }: Operation, document: ApiDescription): FieldDescription[] {
  return parameters
    .filter((one) => one.in === 'query' && one.name !== 'organisation')
    .map(({ name, schema, required, description }) => {
      const described = { ...schema, ...(description === undefined ? {} : { description }) }
      const field = fieldOf(name, described, required === true, document)
      return field.kind === 'json' ? { ...field, kind: 'text' } : field
    })
}

function bodyOf({ requestBody }: Operation, document: ApiDescription): FieldDescription[] | null {
  const schema = Object.entries(requestBody?.content ?? {}).find(([type]) => isJson(type))?.[1].schema
  if (schema === undefined) return null
  const whole = resolved(schema, document)
  return Object.entries(whole.properties ?? {}).map(([name, property]) =>
    fieldOf(name, property, whole.required?.includes(name) === true, document),
  )
}

function fieldOf(
  name: string,
  schema: Schema,
  required: boolean,
  document: ApiDescription,
): FieldDescription {
  const { core, nullable } = withoutNull(resolved(schema, document), document)
  const choices = core.enum?.filter((one): one is string => typeof one === 'string')
  const text = schema.description ?? core.description
  return {
    name,
    kind: kindOf(core, document),
    ...(required ? { required } : {}),
    ...(nullable ? { nullable } : {}),
    ...(choices === undefined || choices.length === 0 ? {} : { choices }),
    ...(text === undefined ? {} : { text }),
  }
}

/** The one schema beside null, if there is one. */
function withoutNull(schema: Schema, document: ApiDescription): { core: Schema; nullable: boolean } {
  const either = schema.anyOf?.map((one) => resolved(one, document))
  if (either !== undefined) {
    const others = either.filter(({ type }) => type !== 'null')
    const nullable = others.length < either.length
    return others.length === 1 ? { core: others[0], nullable } : { core: {}, nullable: false }
  }
  if (!Array.isArray(schema.type)) return { core: schema, nullable: false }
  const types: string[] = schema.type.filter((type: string) => type !== 'null')
  return { core: types.length === 1 ? { ...schema, type: types[0] } : {}, nullable: true }
}

function kindOf(schema: Schema, document: ApiDescription): FieldKind {
  switch (schema.type) {
    case 'string':
      return 'text'
    case 'integer':
    case 'number':
    case 'boolean':
      return schema.type
    case 'array':
      return resolved(schema.items ?? {}, document).type === 'string' ? 'list' : 'json'
    case 'object': {
      const { additionalProperties, properties } = schema
      const values = typeof additionalProperties === 'object' ? resolved(additionalProperties, document) : {}
      return properties === undefined && values.type === 'string' ? 'labels' : 'json'
    }
    default:
      return 'json'
  }
}

function answerOf({ responses }: Operation, document: ApiDescription): OperationDescription['answer'] {
  const [, response] = Object.entries(responses).find(([status]) => Number(status) < 300) ?? []
  const [type, content] = Object.entries(response?.content ?? {})[0] ?? []
  if (type === undefined || content === undefined) return 'none'
  if (!isJson(type)) return type
  const { properties = {} } = resolved(content.schema, document)
  if (!('items' in properties)) return 'one'
  return 'next' in properties ? 'page' : 'list'
}

function isJson(type: string): boolean {
  return /[/+]json$/.test(type)
}
