import { type ApiDescription, generated, type Operation, type Parameter, type Schema } from './document.ts'

const identifier = /^[A-Za-z_$][\w$]*$/
/** Longest type that stays on one line. */
const lineWidth = 90

/** The OpenAPI document as types, in the shape that openapi-fetch reads: `paths` by path and method, `components`. */
export function typesFile(document: ApiDescription): string {
  const codes = problemCodes(document)
  return `${generated}
/** Every \`code\` of a problem; \`GET /v1/errors\` explains them. */
export type ProblemCode =
${codes.map((code) => `  | '${code}'`).join('\n')}

export interface paths {
${Object.entries(document.paths)
  .map(([path, methods]) => `  ${quoted(path)}: ${pathItem(methods)}`)
  .join('\n')}
}

export interface components {
  schemas: {
${Object.keys(document.components.schemas)
  .map((name) => `    ${name}: ${name}`)
  .join('\n')}
  }
}

${Object.entries(document.components.schemas)
  .map(([name, schema]) => `${commentOf(schema.description, '')}export type ${name} = ${typeOf(schema, 0)}`)
  .join('\n\n')}
`
}

function pathItem(methods: Readonly<Record<string, Operation>>): string {
  return objectType(
    Object.entries(methods).map(([method, operation]) => ({
      name: method,
      type: operationType(operation),
      comment: operation.summary,
    })),
    2,
  )
}

function operationType({ parameters = [], requestBody, responses }: Operation): string {
  const at = 6
  const fields: Field[] = [
    {
      name: 'parameters',
      type: objectType(
        (['query', 'header', 'path'] as const).map((place) => parametersIn(place, parameters, at + 2)),
        at,
      ),
    },
  ]
  if (requestBody !== undefined) {
    fields.push({
      name: 'requestBody',
      optional: requestBody.required === false,
      type: contentType(requestBody.content, at),
    })
  }
  const answers: Field[] = Object.entries(responses)
    .filter(([status]) => Number(status) < 400)
    .map(([status, { content }]) => ({
      name: status,
      type: content === undefined ? '{ content?: never }' : contentType(content, at + 2),
    }))
  const problem = "{ content: { 'application/problem+json': Problem } }"
  fields.push({
    name: 'responses',
    type: objectType([...answers, { name: 'default', type: problem }], at),
  })
  return objectType(fields, at - 2)
}

function parametersIn(
  place: 'query' | 'header' | 'path',
  parameters: readonly Parameter[],
  at: number,
): Field {
  const found = parameters.filter((one) => one.in === place)
  if (found.length === 0) return { name: place, optional: true, type: 'never' }
  return {
    name: place,
    optional: !found.some(({ required }) => required === true),
    type: objectType(
      found.map((one) => ({
        name: one.name,
        optional: one.required !== true,
        // Numbers and truth values are text in a URL.
        type: typeOf(one.schema, at),
        comment: one.description ?? one.schema.description,
      })),
      at,
    ),
  }
}

function contentType(content: Readonly<Record<string, { schema: Schema }>>, at: number): string {
  const types = Object.entries(content).map(([name, { schema }]) => ({ name, type: typeOf(schema, at + 4) }))
  return objectType([{ name: 'content', type: objectType(types, at + 2) }], at)
}

interface Field {
  readonly name: string
  readonly type: string
  readonly optional?: boolean
  readonly comment?: string | undefined
}

/** `at`: the column of its closing brace. */
function objectType(fields: readonly Field[], at: number): string {
  if (fields.length === 0) return 'Record<string, never>'
  const parts = fields.map(({ name, type, optional }) => `${quoted(name)}${optional ? '?' : ''}: ${type}`)
  const short = `{ ${parts.join('; ')} }`
  if (
    short.length + at < lineWidth &&
    !short.includes('\n') &&
    fields.every(({ comment }) => comment === undefined)
  )
    return short
  const indent = ' '.repeat(at + 2)
  const lines = parts.map((part, i) => {
    return `${commentOf(fields[i].comment, indent)}${indent}${part}`
  })
  return `{\n${lines.join('\n')}\n${' '.repeat(at)}}`
}

function commentOf(text: string | undefined, indent: string): string {
  if (text === undefined) return ''
  return `${indent}/** ${text.replaceAll('*/', '* /').replaceAll(/\s+/g, ' ')} */\n`
}

function typeOf(schema: Schema, at: number): string {
  if (schema.$ref !== undefined) return schema.$ref.split('/').at(-1) ?? 'unknown'
  if (schema.const !== undefined) return literal(schema.const)
  if (schema.enum !== undefined) return schema.enum.map(literal).join(' | ')
  const either = schema.anyOf ?? schema.oneOf
  if (either !== undefined) return unique(either.map((one) => typeOf(one, at))).join(' | ')
  if (schema.allOf !== undefined) return schema.allOf.map((one) => `(${typeOf(one, at)})`).join(' & ')
  if (Array.isArray(schema.type)) {
    return unique(schema.type.map((type: string) => typeOf({ ...schema, type }, at))).join(' | ')
  }
  switch (schema.type) {
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type
    case 'integer':
    case 'number':
      return 'number'
    case 'array':
      return arrayType(schema, at)
    case 'object':
      return recordType(schema, at)
    default:
      return 'unknown'
  }
}

function arrayType({ prefixItems, items }: Schema, at: number): string {
  if (prefixItems !== undefined) return `[${prefixItems.map((one) => typeOf(one, at)).join(', ')}]`
  const element = typeOf(items ?? {}, at)
  return /^[\w.[\]']+$/.test(element) || element.startsWith('{') ? arrayOf(element) : `(${element})[]`
}

function arrayOf(element: string): string {
  return element.includes(' | ') && !element.startsWith('{') ? `(${element})[]` : wrapped(element)
}

/** A union of objects begins with a brace too. */
function wrapped(element: string): string {
  return element.startsWith('{') && closesEarly(element) ? `(${element})[]` : `${element}[]`
}

function closesEarly(text: string): boolean {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '{') depth++
    else if (text[i] === '}' && --depth === 0) return i < text.length - 1
  }
  return false
}

function recordType({ properties = {}, required = [], additionalProperties }: Schema, at: number): string {
  const fields = Object.entries(properties).map(([name, schema]) => ({
    name,
    optional: !required.includes(name),
    type: typeOf(schema, at + 2),
    comment: schema.description,
  }))
  const open = additionalProperties !== undefined && additionalProperties !== false
  const rest = open
    ? `{ [key: string]: ${typeOf(additionalProperties === true ? {} : additionalProperties, at + 2)} }`
    : null
  if (rest === null) return objectType(fields, at)
  return fields.length === 0 ? rest : `${objectType(fields, at)} & ${rest}`
}

function problemCodes({ paths }: ApiDescription): string[] {
  const codes = Object.values(paths)
    .flatMap((methods) => Object.values(methods))
    .flatMap(({ responses }) => Object.entries(responses))
    .filter(([status]) => Number(status) >= 400)
    .flatMap(([, { description }]) => description.split(', '))
    .filter((code) => /^[a-z_]+$/.test(code))
  return unique(codes).toSorted((a, b) => a.localeCompare(b))
}

function literal(value: unknown): string {
  return typeof value === 'string'
    ? `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
    : JSON.stringify(value)
}

function quoted(name: string): string {
  return identifier.test(name) || /^\d+$/.test(name) ? name : literal(name)
}

function unique(texts: readonly string[]): string[] {
  return Array.from(new Set(texts))
}
