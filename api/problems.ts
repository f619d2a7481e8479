import { z } from 'zod'

/**
 * Every problem that the API answers with. A code never changes its meaning or its status; `GET /v1/errors` shows
 * this list. Codes of `PlatformError` have the same names.
 */
export const problems = {
  invalid_request: [400, 'The request is not as the API describes it'],
  invalid_json: [400, 'The body is not JSON'],
  invalid_field: [400, 'A field has a value that is not allowed'],
  invalid_certificate: [400, 'The certificate or signature is not as it must be'],
  invalid_telemetry: [400, 'The payload is not telemetry; nothing of it was stored'],
  unauthenticated: [401, 'A valid token or device key is needed'],
  wrong_credentials: [401, 'The e-mail address or the password is wrong'],
  token_invalid: [400, 'The link was used, has expired, or is not complete'],
  provisioning_refused: [403, 'The provisioning key has expired or is used up'],
  forbidden: [403, 'This token or key may not do that'],
  not_found: [404, 'There is no such path'],
  organisation_not_found: [404, 'There is no such organisation'],
  device_not_found: [404, 'There is no such device'],
  node_not_found: [404, 'There is no such node'],
  user_not_found: [404, 'There is no such user'],
  invitation_not_found: [404, 'There is no such open invitation'],
  api_key_not_found: [404, 'There is no such API key'],
  session_not_found: [404, 'There is no such session'],
  group_not_found: [404, 'There is no such group'],
  task_not_found: [404, 'There is no such task'],
  schedule_not_found: [404, 'There is no such schedule, or it has no such run'],
  roll_not_found: [404, 'Nothing like that was done to the fleet'],
  credential_not_found: [404, 'There is no such credential'],
  authority_not_found: [404, 'There is no such certificate authority'],
  certificate_not_found: [404, 'There is no such certificate'],
  provisioning_key_not_found: [404, 'There is no such provisioning key'],
  claim_not_found: [404, 'There is no such claim code, or it was used or has expired'],
  command_not_found: [404, 'The device has no such command'],
  batch_not_found: [404, 'There is no such batch of commands'],
  twin_not_found: [404, 'The device has no such twin'],
  plan_not_found: [404, 'There is no such maintenance window or silence'],
  override_not_found: [404, 'Nobody has said anything about this datacenter or host, or it has expired'],
  client_not_found: [404, 'There is no such MQTT client'],
  method_not_allowed: [405, 'The path does not have this method'],
  organisation_exists: [409, 'The organisation exists, or existed once'],
  organisation_not_empty: [409, 'The organisation still has devices'],
  user_taken: [409, 'The IoT Guru user id is in use'],
  name_taken: [409, 'The name is in use'],
  email_taken: [409, 'The e-mail address is in use'],
  last_admin: [409, 'The organisation would have no admin'],
  setup_done: [409, 'There is an administrator already'],
  id_taken: [409, 'The id is in use'],
  key_taken: [409, 'The key is in use'],
  node_exists: [409, 'The node exists'],
  group_exists: [409, 'The group exists, or existed once'],
  group_not_empty: [409, 'The group still has groups inside it'],
  task_finished: [409, 'The task has ended already'],
  authority_exists: [409, 'The certificate authority is registered already'],
  already_provisioned: [409, 'The device has its key already'],
  command_exists: [409, 'Another command has the id'],
  command_ended: [409, 'The command has ended already'],
  limit_reached: [409, 'There are as many as there may be'],
  conflict: [409, 'Somebody else changed it at the same time; read it and try again'],
  request_in_progress: [409, 'A request with this Idempotency-Key is being done; try again'],
  answer_not_kept: [409, 'It was done with this Idempotency-Key; its answer was too long to be kept'],
  precondition_failed: [412, 'It has changed since; read it and try again'],
  body_too_large: [413, 'The body is too large'],
  unsupported_media_type: [415, 'The body has a type or an encoding that is not understood'],
  idempotency_key_reused: [422, 'Another request had this Idempotency-Key'],
  precondition_required: [428, 'The change must say by If-Match which version it was made from'],
  rate_limited: [429, 'Too many requests; try again after a while'],
  quota_exceeded: [429, 'The organisation has used all that it may today'],
  too_many_streams: [429, 'The organisation has as many live streams as it may'],
  too_many_attempts: [429, 'Too many attempts; wait as long as Retry-After says'],
  overloaded: [429, 'Too much is waiting for the disk; try again'],
  internal: [500, 'The platform failed; the request id finds it in the log'],
  store_unavailable: [503, 'The store cannot be reached or written; nothing was stored'],
  incomplete: [503, 'A part of the platform did not answer in time'],
  outcome_unknown: [503, 'The store did not confirm in time: it may be stored or not'],
} as const satisfies Record<string, readonly [status: number, title: string]>

export type ProblemCode = keyof typeof problems

/** What is wrong with one field of the input. */
export interface FieldProblem {
  /** Where: `query.limit`, `body.name`, `body[3].values.temp`. */
  readonly field: string
  readonly message: string
}

/** Thrown by handlers; the one error handler makes a problem document of it. */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly status: number
  readonly errors: readonly FieldProblem[]
  /** Seconds after which trying again makes sense. */
  readonly retryAfter: number | undefined

  constructor(
    code: ProblemCode,
    detail: string,
    options: { errors?: readonly FieldProblem[]; retryAfter?: number; cause?: unknown } = {},
  ) {
    super(detail, { cause: options.cause })
    this.name = 'Problem'
    this.code = code
    this.status = problems[code][0]
    this.errors = options.errors ?? []
    this.retryAfter = options.retryAfter
  }
}

/** RFC 9457. */
export const problemDocument = z
  .object({
    type: z.string().describe('where the code is explained'),
    title: z.string(),
    status: z.int(),
    code: z.string().describe('stable; see GET /v1/errors'),
    detail: z.string().describe('what is wrong here and what to do'),
    request_id: z.string().describe('also in X-Request-Id and in the log'),
    errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem document' })

export function documentOf(problem: Problem, requestId: string): z.output<typeof problemDocument> {
  return {
    type: `/v1/errors#${problem.code}`,
    title: problems[problem.code][1],
    status: problem.status,
    code: problem.code,
    detail: problem.message,
    request_id: requestId,
    ...(problem.errors.length === 0 ? {} : { errors: [...problem.errors] }),
  }
}
