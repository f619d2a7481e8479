import type { Problem, ProblemCode } from './schema.ts'

/** What is wrong with one field of a request. */
export interface FieldProblem {
  readonly field: string
  readonly message: string
}

/** The API refused or failed; its problem document (RFC 9457) as an error. */
export class ApiError extends Error {
  /** Stable; `GET /v1/errors` explains them. `unknown`: not our API answered, but a proxy perhaps. */
  readonly code: ProblemCode | 'unknown' | 'not_modified' | (string & {})
  /** HTTP status. */
  readonly status: number
  /** What is wrong here and what to do. */
  readonly detail: string
  readonly errors: readonly FieldProblem[]
  /** Also in the platform's log. */
  readonly requestId: string | undefined
  /** Seconds after which trying again makes sense. */
  readonly retryAfter: number | undefined

  constructor(
    response: Pick<Response, 'status' | 'headers'>,
    problem: { code: string; detail: string; errors?: readonly FieldProblem[] },
  ) {
    super(problem.detail)
    this.name = 'ApiError'
    this.code = problem.code
    this.status = response.status
    this.detail = problem.detail
    this.errors = problem.errors ?? []
    this.requestId = response.headers.get('x-request-id') ?? undefined
    this.retryAfter = secondsOf(response.headers.get('retry-after'))
  }
}

/** No host of the platform could be reached, or none answered in time. `cause` says why. */
export class UnreachableError extends Error {
  /** The host tried last. */
  readonly url: string

  constructor(url: string, cause: unknown) {
    super(`cannot reach ${url}`, { cause })
    this.name = 'UnreachableError'
    this.url = url
  }
}

/** The platform answered what this version of the client does not understand, or the answer broke off. */
export class UnexpectedAnswerError extends Error {
  readonly url: string

  constructor(url: string, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'UnexpectedAnswerError'
    this.url = url
  }
}

/** The error of an answer that is none of success. Reads its body. */
export async function errorOf(response: Response): Promise<ApiError> {
  if (response.status === 304) {
    return new ApiError(response, { code: 'not_modified', detail: 'it has not changed since' })
  }
  const document: unknown = await response.json().catch(() => null)
  if (isProblem(document)) return new ApiError(response, document)
  const detail = `${response.url} answered ${response.status} ${response.statusText}`.trimEnd()
  return new ApiError(response, { code: 'unknown', detail })
}

function isProblem(value: unknown): value is Problem {
  if (typeof value !== 'object' || value === null) return false
  return 'code' in value && typeof value.code === 'string' && 'detail' in value
}

/** Retry-After, in seconds or as a date. */
function secondsOf(header: string | null): number | undefined {
  if (header === null) return undefined
  const seconds = Number(header)
  if (Number.isFinite(seconds)) return Math.max(0, seconds)
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - Date.now()) / 1000))
}
