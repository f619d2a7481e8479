import type { Request, RequestHandler } from 'express'
import { z } from 'zod'
import type { ZodOpenApiOperationObject } from 'zod-openapi'
import { gateAccess } from './access.ts'
import { type Asked, audited, denied } from './audit.ts'
import { authenticate, type Caller } from './callers.ts'
import { gateVersioned, preconditionOf, setVersion, unlessMoved, type Version } from './conditional.ts'
import type { ApiDeps } from './deps.ts'
import { gateStore } from './durable.ts'
import { idempotencyKey, once, repeatableId } from './idempotency.ts'
import { gateInput } from './input.ts'
import { describe } from './operation.ts'
import { Problem } from './problems.ts'
import type { Method, RouteSpec } from './route-spec.ts'
import { sendJson } from './send.ts'
import { pruner } from './shown.ts'
import { sparse } from './sparse.ts'

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

const ignored = (): void => undefined

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
  const shownOf = pruner(spec.answer ?? z.unknown())
  const operation = describe(spec, params, query)
  const asked = (from: Pick<Asked, 'deps' | 'caller' | 'request' | 'response'>): Asked => {
    const { access, method } = spec
    return { ...from, access, method, operation: operation.operationId ?? spec.path }
  }
  /** Nothing is changed without an entry in the audit; a read changes nothing. */
  const handle =
    spec.method === 'get' || spec.unrecorded === true
      ? async (call: Parameters<typeof spec.handle>[0]) => spec.handle(call)
      : (call: Parameters<typeof spec.handle>[0]) =>
          audited(asked(call), async (audit) => spec.handle({ ...call, audit }))
  const readBody = (body: unknown): unknown =>
    spec.body === undefined ? body : gateInput(spec.body, body, 'body')
  return {
    method: spec.method,
    path: spec.path,
    operation,
    bodyAs: spec.bytes !== undefined ? 'bytes' : spec.body !== undefined ? 'json' : 'none',
    caller: (deps) => async (request, response, next) => {
      if (spec.method !== 'get') gateStore(deps)
      callers.set(request, await gateCaller(asked({ deps, caller: null, request, response }), spec))
      next()
    },
    handler: (deps) => async (request, response) => {
      const given = request.query
      const names = chosen === null ? undefined : given.fields
      const fields = chosen !== null && typeof names === 'string' ? chosen.parse(names) : null
      const precondition = preconditionOf(request, spec)
      const caller = callers.get(request) ?? null
      const key = idempotencyKey(request, spec)
      const call = {
        deps,
        caller,
        params: gateInput(params, request.params, 'path') as z.output<P>,
        query: gateInput(query, fields === null ? given : withoutFields(given), 'query') as z.output<Q>,
        body: readBody(request.body) as z.output<B>,
        request,
        response,
        precondition,
        version: (version: Version) => setVersion(response, version),
        audit: ignored,
        repeatableId: key === null || caller === null ? null : repeatableId(caller, key),
      }
      /** Does it; the body of the answer, null: none. */
      const perform = async (): Promise<string | null> => {
        const answer = await (precondition.given
          ? unlessMoved(precondition, () => handle(call))
          : handle(call))
        if (spec.versioned !== undefined) gateVersioned(spec, precondition, response)
        if (spec.answer === undefined) return null
        const shown: unknown = deps.checkAnswers === true ? spec.answer.parse(answer) : shownOf(answer)
        return JSON.stringify(chosen === null || fields === null ? shown : chosen.pick(shown, fields))
      }
      if (spec.stream !== undefined) {
        await handle(call)
        return
      }
      const body =
        key === null || caller === null
          ? await perform()
          : await once(deps, { caller, key, request, response }, perform)
      response.status(spec.status)
      if (body === null) response.end()
      else sendJson(request, response, body)
    },
  }
}

function withoutFields(query: Request['query']): Request['query'] {
  return Object.fromEntries(Object.entries(query).filter(([name]) => name !== 'fields'))
}

/** The body of a route with `bytes`; empty if there was none. */
export function bytesOf(request: Request): Uint8Array {
  const body: unknown = request.body
  return body instanceof Uint8Array ? body : new Uint8Array()
}

/** Who asks, if that may be asked by him. */
async function gateCaller(asked: Asked, spec: Parameters<typeof gateAccess>[1]): Promise<Caller | null> {
  if (spec.path.startsWith('/v1/')) asked.deps.admission?.address(asked.request, asked.response)
  if (spec.access === 'public') return null
  const { deps, request, response } = asked
  const caller = await knownCaller(deps, request)
  deps.admission?.caller(caller, response, spec.tag !== 'usage')
  try {
    gateAccess(caller, spec)
  } catch (error) {
    if (error instanceof Problem) await denied({ ...asked, caller }, error)
    throw error
  }
  return caller
}

/** Who asks; an address that often shows keys that are none is not looked at for a while. */
export async function knownCaller(deps: ApiDeps, request: Request): Promise<Caller> {
  try {
    return await authenticate(deps, request)
  } catch (error) {
    if (error instanceof Problem && error.code === 'unauthenticated') deps.admission?.failed(request)
    throw error
  }
}
