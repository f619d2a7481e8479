import type { ErrorRequestHandler, RequestHandler, Response } from 'express'
import { PlatformError } from '#platform/errors.ts'
import { StoreError } from '#platform/store/store.ts'
import type { ApiDeps } from './deps.ts'
import { requestIdOf } from './middleware.ts'
import { documentOf, Problem, type ProblemCode } from './problems.ts'

export const notFound: RequestHandler = (request) => {
  throw new Problem('not_found', `there is no ${request.method} of this path; GET /v1/openapi.json lists all`)
}

/** The one place where a request's error becomes an answer, and a log line if the fault is ours. */
export function errorHandler(deps: ApiDeps): ErrorRequestHandler {
  return (error: unknown, _request, response, _next) => {
    const problem = asProblem(error)
    if (problem.status >= 500) {
      const request = requestIdOf(response)
      deps.log.error({ event: 'http.failed', code: problem.code, request, err: error }, problem.message)
    }
    if (response.headersSent) response.destroy()
    else send(response, problem)
  }
}

function send(response: Response, problem: Problem): void {
  if (problem.status === 401) response.set('www-authenticate', 'Bearer')
  const retryAfter = problem.retryAfter ?? (problem.status === 503 ? 1 : undefined)
  if (retryAfter !== undefined) response.set('retry-after', String(retryAfter))
  response.status(problem.status).type('application/problem+json')
  response.send(JSON.stringify(documentOf(problem, requestIdOf(response))))
}

function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (error instanceof PlatformError) {
    const { code, message, field } = error
    if (field === undefined) return new Problem(code, message, { cause: error })
    return new Problem(code, `${field}: ${message}`, {
      errors: [{ field: `body.${field}`, message }],
      cause: error,
    })
  }
  if (error instanceof StoreError) {
    return new Problem('store_unavailable', 'the store cannot be used now; try again', {
      retryAfter: 1,
      cause: error,
    })
  }
  return fromExpress(error) ?? new Problem('internal', 'something went wrong on our side', { cause: error })
}

const expressTypes: Readonly<Record<string, readonly [ProblemCode, string]>> = {
  'entity.too.large': ['body_too_large', 'the body is longer than this path takes'],
  'encoding.unsupported': [
    'unsupported_media_type',
    'send the body with Content-Encoding gzip, deflate, br or none',
  ],
  'request.aborted': ['invalid_request', 'the request ended before its body'],
  'request.size.invalid': ['invalid_request', 'the body does not have the length that Content-Length says'],
}

/** Errors of Express and its body parsers say what they are by `type` and `status`. */
function fromExpress(error: unknown): Problem | undefined {
  if (!(error instanceof Error)) return undefined
  const known = 'type' in error && typeof error.type === 'string' ? expressTypes[error.type] : undefined
  if (known !== undefined) return new Problem(known[0], known[1], { cause: error })
  const status = 'status' in error ? error.status : undefined
  if (typeof status !== 'number' || status < 400 || status > 499) return undefined
  return new Problem('invalid_request', 'the request cannot be read', { cause: error })
}
