import { ApiError, UnexpectedAnswerError, UnreachableError } from '#client/index.ts'
import { CliError, errorCode, errorLine } from '#scripts/output.ts'

/** Codes of the API for what was asked for wrongly. */
const wrongUse: ReadonlySet<string> = new Set(['invalid_request', 'invalid_field', 'invalid_json'])

/** What the client throws, as a failure that a person can act on. */
export function failureOf(error: unknown): unknown {
  if (error instanceof ApiError) return refusal(error)
  if (error instanceof UnreachableError) {
    return new CliError(`${error.message}: ${reasonOf(error.cause)}`, {
      remedy:
        'Is `cinque dev` running? Another platform: --url URL --token TOKEN, or cinque login --url URL.',
      cause: error,
    })
  }
  if (error instanceof UnexpectedAnswerError) {
    return new CliError(error.message, {
      remedy: 'Is it a cinque, and of the same version?',
      cause: error,
    })
  }
  // What the client says of its own options and parameters.
  if (
    error instanceof TypeError &&
    error.cause === undefined &&
    /^\w+: .* is no id or name$/.test(error.message)
  )
    return new CliError(error.message, { exitCode: 2, cause: error })
  return error
}

function refusal(error: ApiError): CliError {
  const { code, status, errors, requestId, retryAfter } = error
  return new CliError(error.detail.replace(/^(?:query|body|path)\./, ''), {
    exitCode: wrongUse.has(code) ? 2 : 1,
    ...(code === 'unauthenticated' ? { remedy: unauthenticated } : {}),
    ...(status >= 500 && requestId !== undefined
      ? { remedy: `The log has more under the request id ${requestId}.` }
      : {}),
    details: { code, status, request_id: requestId, retry_after: retryAfter, errors },
    cause: error,
  })
}

const unauthenticated =
  '`cinque token` prints the token of a `cinque dev`; elsewhere: cinque login --url URL.'

function reasonOf(cause: unknown): string {
  if (errorCode(cause) === 'ECONNREFUSED') return 'nothing listens there'
  const inner = cause instanceof Error ? (cause.cause ?? cause) : cause
  return errorLine(inner)
}
