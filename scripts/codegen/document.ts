/** A JSON schema as zod writes it into the OpenAPI document. */
export interface Schema {
  $ref?: string
  type?: string | readonly string[]
  enum?: readonly unknown[]
  const?: unknown
  anyOf?: readonly Schema[]
  oneOf?: readonly Schema[]
  allOf?: readonly Schema[]
  properties?: Readonly<Record<string, Schema>>
  required?: readonly string[]
  additionalProperties?: boolean | Schema
  items?: Schema
  prefixItems?: readonly Schema[]
  description?: string
  default?: unknown
}

export interface Parameter {
  in: 'path' | 'query' | 'header'
  name: string
  required?: boolean
  description?: string
  schema: Schema
}

export interface Operation {
  operationId: string
  summary?: string
  parameters?: readonly Parameter[]
  requestBody?: { required?: boolean; content: Readonly<Record<string, { schema: Schema }>> }
  responses: Readonly<
    Record<string, { description: string; content?: Readonly<Record<string, { schema: Schema }>> }>
  >
}

/** What the generators read of the OpenAPI document. */
export interface ApiDescription {
  paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  components: { schemas: Readonly<Record<string, Schema>> }
}

/** An operation with where it is. */
export interface Placed {
  readonly method: string
  readonly path: string
  readonly operation: Operation
}

export function operationsOf({ paths }: ApiDescription): Placed[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  )
}

/** The schema itself where there is only its name. */
export function resolved(schema: Schema, { components }: ApiDescription): Schema {
  const name = schema.$ref?.slice('#/components/schemas/'.length)
  return name === undefined ? schema : resolved(components.schemas[name], { paths: {}, components })
}

/** The first line of every generated file. */
export const generated = '// Generated from docs/openapi.json by `npm run client`; do not edit.\n'
