import type { Request, RequestHandler, Response } from 'express'
import { z } from 'zod'
import type { ZodOpenApiOperationObject, ZodOpenApiResponsesObject } from 'zod-openapi'
import { type Access, gateAccess } from './access.ts'
import { authenticate, type Caller } from './callers.ts'
import type { ApiDeps } from './deps.ts'
import { gateStore } from './durable.ts'
import { type FieldProblem, Problem, problemDocument, type ProblemCode, problems } from './problems.ts'

type Method = 'get' | 'post' | 'patch' | 'delete'

interface Call<P, Q, B> {
  readonly deps: ApiDeps
  /** Null on public routes. */
  readonly caller: Caller | null
  readonly params: P
  readonly query: Q
  readonly body: B
  readonly request: Request
  readonly response: Response
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
      const call = {
        deps,
        caller: callers.get(request) ?? null,
        params: gateInput(params, request.params, 'path') as z.output<P>,
        query: gateInput(query, request.query, 'query') as z.output<Q>,
        body: gateInput(spec.body ?? z.unknown(), request.body, 'body') as z.output<B>,
        request,
        response,
      }
      const answer = await spec.handle(call)
      if (spec.stream !== undefined) return
      response.status(spec.status)
      if (spec.answer === undefined) response.end()
      else response.json(spec.answer.parse(answer))
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
    'internal',
    'store_unavailable',
  ]
  const body = spec.bytes ?? spec.body
  const responses: ZodOpenApiResponsesObject = {}
  responses[`${spec.status}`] = { description: 'done', ...answerContent(spec) }
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
    requestParams: { path: params, query },
    ...(body === undefined ? {} : { requestBody: { content: { 'application/json': { schema: body } } } }),
    responses,
  }
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
