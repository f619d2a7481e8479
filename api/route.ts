import type { Request, RequestHandler, Response } from 'express'
import { z } from 'zod'
import type { ZodOpenApiOperationObject, ZodOpenApiResponsesObject } from 'zod-openapi'
import { type Access, gateAccess } from './access.ts'
import { authenticate, type Caller } from './callers.ts'
import { Precondition, setVersion, type Version, type Versioned } from './conditional.ts'
import type { ApiDeps } from './deps.ts'
import { PlatformError } from '#platform/errors.ts'
import { gateStore } from './durable.ts'
import { type FieldProblem, Problem, problemDocument, type ProblemCode, problems } from './problems.ts'
import { fieldsQuery, sparse } from './sparse.ts'

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'

interface Call<P, Q, B> {
  readonly deps: ApiDeps
  /** Null on public routes. */
  readonly caller: Caller | null
  readonly params: P
  readonly query: Q
  readonly body: B
  readonly request: Request
  readonly response: Response
  /** On routes with `versioned`: what the request expects of what it changes. */
  readonly precondition: Precondition
  /** On routes with `versioned`: reports the version of what the answer shows. */
  readonly version: (version: Version) => void
}

interface RouteSpec<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType> {
  readonly method: Method
  /** With `{name}` for parameters. */
  readonly path: string
  readonly access: Access
  /** The handler itself looks at the groups that were granted (`groupsOf`); without it who has only some is refused. */
  readonly byGroup?: boolean
  readonly summary: string
  readonly tag: string
  readonly params?: P
  readonly query?: Q
  readonly body?: B
  /** Description of a body that the handler takes as bytes, of any content type (`bytesOf`). */
  readonly bytes?: z.ZodType
  readonly status: 200 | 201 | 204
  /** Schema of the answer; what it does not name is not sent. */
  readonly answer?: R
  /** The resource counts its changes: GET reports `version`, others pass `precondition.check` before they change it. */
  readonly versioned?: Versioned
  /** A caller may ask for some fields of the answer only (`?fields=id,name`). */
  readonly fields?: boolean
  /** Content type of an answer that the handler writes by itself. */
  readonly stream?: string
  /** Problems beside those that every route may have. */
  readonly problems?: readonly ProblemCode[]
  readonly handle: (
    call: Call<z.output<P>, z.output<Q>, z.output<B>>,
  ) => Promise<z.input<R> | undefined> | z.input<R> | undefined
}

/** A route as the application mounts and describes it. */
export interface Route {
  readonly method: Method
  readonly path: string
  readonly operation: ZodOpenApiOperationObject
  readonly bodyAs: 'json' | 'bytes' | 'none'
  /** The gate before the body is read: who asks, and may he? */
  caller(deps: ApiDeps): RequestHandler
  handler(deps: ApiDeps): RequestHandler
}

const callers = new WeakMap<Request, Caller | null>()

const nothing = z.strictObject({})

/** Declares a route: its gates in order (can be stored, who asks, params, query, body), its handler, and its part of the OpenAPI document. */
export function route<
  P extends z.ZodType<unknown, Record<string, unknown>> = typeof nothing,
  Q extends z.ZodType<unknown, Record<string, unknown>> = typeof nothing,
  B extends z.ZodType = z.ZodUndefined,
  R extends z.ZodType = z.ZodUndefined,
>(spec: RouteSpec<P, Q, B, R>): Route {
  const params = spec.params ?? nothing
  const query = spec.query ?? nothing
  const chosen = spec.fields === true && spec.answer !== undefined ? sparse(spec.answer) : null
  return {
    method: spec.method,
    path: spec.path,
    operation: describe(spec, params, query),
    bodyAs: spec.bytes === undefined ? (spec.body === undefined ? 'none' : 'json') : 'bytes',
    caller: (deps) => async (request, _response, next) => {
      if (spec.method !== 'get') gateStore(deps)
      callers.set(request, await gateCaller(deps, request, spec))
      next()
    },
    handler: (deps) => async (request, response) => {
      const { fields: names, ...rest } = request.query
      const fields = chosen !== null && typeof names === 'string' ? chosen.parse(names) : null
      const precondition = preconditionOf(request, spec)
      const call = {
        deps,
        caller: callers.get(request) ?? null,
        params: gateInput(params, request.params, 'path') as z.output<P>,
        query: gateInput(query, fields === null ? request.query : rest, 'query') as z.output<Q>,
        body: gateInput(spec.body ?? z.unknown(), request.body, 'body') as z.output<B>,
        request,
        response,
        precondition,
        version: (version: Version) => setVersion(response, version),
      }
      const answer = await unlessMoved(precondition, async () => spec.handle(call))
      if (spec.stream !== undefined) return
      if (spec.versioned !== undefined) gateVersioned(spec, precondition, response)
      response.status(spec.status)
      if (spec.answer === undefined) response.end()
      else {
        const shown: unknown = spec.answer.parse(answer)
        response.json(chosen === null || fields === null ? shown : chosen.pick(shown, fields))
      }
    },
  }
}

/** The body of a route with `bytes`; empty if there was none. */
export function bytesOf(request: Request): Uint8Array {
  const body: unknown = request.body
  return body instanceof Uint8Array ? body : new Uint8Array()
}

/** Who asks, if that may be asked by him. */
async function gateCaller(
  deps: ApiDeps,
  request: Request,
  spec: Parameters<typeof gateAccess>[1],
): Promise<Caller | null> {
  if (spec.access === 'public') return null
  const caller = await authenticate(deps, request)
  gateAccess(caller, spec)
  return caller
}

/** If-Match of a route without versions would be ignored, and a change lost: it is refused. */
function preconditionOf(
  request: Request,
  { method, versioned }: { method: Method; versioned?: Versioned },
): Precondition {
  const precondition = new Precondition(request)
  if (method === 'get' || precondition.empty) {
    if (versioned !== 'required' || method === 'get') return precondition
    throw new Problem('precondition_required', 'send If-Match with the ETag of what you change, or *')
  }
  if (versioned !== undefined) return precondition
  throw new Problem(
    'invalid_request',
    'If-Match and If-None-Match: this path has no versions; leave them out',
  )
}

/** Who named a version and lost a race hears of it as of a version that is not there any more. */
async function unlessMoved<T>(precondition: Precondition, change: () => Promise<T>): Promise<T> {
  try {
    return await change()
  } catch (error) {
    if (!precondition.given || !(error instanceof PlatformError) || error.code !== 'conflict') throw error
    throw new Problem(
      'precondition_failed',
      'If-Match: somebody else has just changed it; read it and try again',
      {
        cause: error,
      },
    )
  }
}

/** A handler that forgets what its route promises must not go unnoticed. */
function gateVersioned(
  { method, path }: { method: Method; path: string },
  precondition: Precondition,
  response: Response,
): void {
  const forgotten =
    method === 'get' ? response.get('etag') === undefined : !precondition.checked && !precondition.empty
  if (forgotten) throw new Error(`${method} ${path}: versioned, but it does not look at versions`)
}

function gateInput(schema: z.ZodType, input: unknown, where: string): unknown {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const errors = result.error.issues.slice(0, maxIssues).flatMap((issue) => fieldProblems(issue, where))
  const [first] = errors
  throw new Problem('invalid_request', `${first.field}: ${first.message}`, { errors })
}

const maxIssues = 20

function fieldProblems(issue: z.core.$ZodIssue, where: string): FieldProblem[] {
  const path = issue.path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : `${text}.${String(part)}`),
    where,
  )
  if (issue.code !== 'unrecognized_keys') return [{ field: path, message: issue.message }]
  return issue.keys.map((key) => ({ field: `${path}.${key}`, message: 'is not known here' }))
}

function describe(
  spec: RouteSpec<z.ZodType, z.ZodType, z.ZodType, z.ZodType>,
  params: z.ZodType<unknown, Record<string, unknown>>,
  query: z.ZodType<unknown, Record<string, unknown>>,
): ZodOpenApiOperationObject {
  const codes: ProblemCode[] = [
    'invalid_request',
    ...(spec.access === 'public' ? [] : (['unauthenticated', 'forbidden'] as const)),
    ...(spec.problems ?? []),
    ...(spec.versioned === undefined || spec.method === 'get' ? [] : (['precondition_failed'] as const)),
    ...(spec.versioned === 'required' && spec.method !== 'get' ? (['precondition_required'] as const) : []),
    'internal',
    'store_unavailable',
  ]
  const body = spec.bytes ?? spec.body
  const responses: ZodOpenApiResponsesObject = {}
  responses[`${spec.status}`] = { description: 'done', ...answerContent(spec) }
  if (spec.versioned !== undefined && spec.method === 'get')
    responses['304'] = { description: 'If-None-Match has its version' }
  for (const code of codes) {
    const [status] = problems[code]
    const sharing = codes.filter((other) => problems[other][0] === status)
    responses[`${status}`] = {
      description: sharing.join(', '),
      content: { 'application/problem+json': { schema: problemDocument } },
    }
  }
  return {
    summary: spec.summary,
    tags: [spec.tag],
    security: securityOf(spec.access),
    requestParams: { path: params, query: described(spec, query), ...headersOf(spec) },
    ...(body === undefined ? {} : { requestBody: { content: { 'application/json': { schema: body } } } }),
    responses,
  }
}

function described(spec: { fields?: boolean }, query: z.ZodType<unknown, Record<string, unknown>>) {
  return spec.fields === true && query instanceof z.ZodObject ? query.extend(fieldsQuery) : query
}

/** Request headers that mean something to a versioned route. */
function headersOf({ method, versioned }: { method: Method; versioned?: Versioned }): {
  header?: z.ZodObject
} {
  if (versioned === undefined) return {}
  if (method === 'get')
    return {
      header: z.object({
        'if-none-match': z
          .string()
          .optional()
          .describe('ETag of an answer; 304 if nothing has changed since'),
      }),
    }
  const match = z
    .string()
    .describe('ETag of what is changed, or *: it must exist; 412 if it is another one by now')
  return { header: z.object({ 'if-match': versioned === 'required' ? match : match.optional() }) }
}

function answerContent(spec: { answer?: z.ZodType; stream?: string }): object {
  if (spec.stream !== undefined) return { content: { [spec.stream]: { schema: z.string() } } }
  return spec.answer === undefined ? {} : { content: { 'application/json': { schema: spec.answer } } }
}

function securityOf(access: Access): { [name: string]: string[] }[] {
  if (access === 'public') return []
  if (access === 'device-only') return [{ deviceKey: [] }]
  return access === 'device' ? [{ token: [] }, { deviceKey: [] }] : [{ token: [] }]
}
