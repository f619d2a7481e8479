import { z } from 'zod'
import type { ZodOpenApiOperationObject, ZodOpenApiResponsesObject } from 'zod-openapi'
import type { Access } from './access.ts'
import { takesKeys } from './idempotency.ts'
import { problemDocument, type ProblemCode, problems } from './problems.ts'
import type { AnySpec } from './route-spec.ts'
import { fieldsQuery } from './sparse.ts'

/** The part of the OpenAPI document that a route is. */
export function describe(
  spec: AnySpec,
  params: z.ZodType<unknown, Record<string, unknown>>,
  query: z.ZodType<unknown, Record<string, unknown>>,
): ZodOpenApiOperationObject {
  const codes: ProblemCode[] = Array.from(
    new Set<ProblemCode>([
      'invalid_request',
      ...(spec.body === undefined
        ? []
        : (['invalid_json', 'invalid_field', 'body_too_large', 'unsupported_media_type'] as const)),
      ...(spec.access === 'public' ? [] : (['unauthenticated', 'forbidden'] as const)),
      ...(spec.problems ?? []),
      ...(takesKeys(spec) ? keyProblems : []),
      ...(spec.versioned === undefined || spec.method === 'get' ? [] : (['precondition_failed'] as const)),
      ...(spec.versioned === 'required' && spec.method !== 'get' ? (['precondition_required'] as const) : []),
      ...(spec.path.startsWith('/v1/') ? (['rate_limited'] as const) : []),
      ...(spec.access === 'public' || spec.access === 'platform' ? [] : (['quota_exceeded'] as const)),
      'internal',
      'store_unavailable',
    ]),
  )
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
    operationId: spec.operationId ?? operationId(spec),
    summary: spec.summary,
    description: accessTexts[spec.access],
    tags: [spec.tag],
    security: securityOf(spec.access),
    requestParams: { path: params, query: described(spec, query), ...headersOf(spec) },
    ...bodyContent(spec),
    responses,
  }
}

function described(spec: { fields?: boolean }, query: z.ZodType<unknown, Record<string, unknown>>) {
  return spec.fields === true && query instanceof z.ZodObject ? query.extend(fieldsQuery) : query
}

const keyProblems = ['request_in_progress', 'answer_not_kept', 'idempotency_key_reused'] as const

/** Request headers that mean something to a route. */
function headersOf(spec: AnySpec): { header?: z.ZodObject } {
  const headers = { ...versionHeaders(spec), ...(takesKeys(spec) ? keyHeaders : {}) }
  return Object.keys(headers).length === 0 ? {} : { header: z.object(headers) }
}

const keyHeaders = {
  'idempotency-key': z
    .string()
    .min(16)
    .max(255)
    .optional()
    .describe(
      'a new random UUID for each new request; who sends it again with the same key gets the same answer',
    ),
}

function versionHeaders({ method, versioned }: AnySpec): Record<string, z.ZodType> {
  if (versioned === undefined) return {}
  if (method === 'get')
    return {
      'if-none-match': z.string().optional().describe('ETag of an answer; 304 if nothing has changed since'),
    }
  const match = z
    .string()
    .describe('ETag of what is changed, or *: it must exist; 412 if it is another one by now')
  return { 'if-match': versioned === 'required' ? match : match.optional() }
}

function bodyContent({ bytes, body, upload }: AnySpec): Pick<ZodOpenApiOperationObject, 'requestBody'> {
  const schema = bytes ?? body
  if (schema !== undefined) return { requestBody: { content: { 'application/json': { schema } } } }
  if (upload === undefined) return {}
  return {
    requestBody: { content: Object.fromEntries(upload.map((type) => [type, { schema: z.string() }])) },
  }
}

function answerContent(spec: { answer?: z.ZodType; stream?: string }): object {
  if (spec.stream !== undefined) return { content: { [spec.stream]: { schema: z.string() } } }
  return spec.answer === undefined ? {} : { content: { 'application/json': { schema: spec.answer } } }
}

const accessTexts: Readonly<Record<Access, string>> = {
  public: 'For anybody.',
  viewer: 'For the role `viewer` and above.',
  operator: 'For the role `operator` and above.',
  developer: 'For the role `developer` and above.',
  admin: 'For the role `admin`.',
  device: 'For the role `viewer` and above, and for the device itself.',
  'device-only': 'For a device, with its key.',
  user: 'For somebody who has signed in.',
  platform: 'For administrators of the platform.',
}

function securityOf(access: Access): { [name: string]: string[] }[] {
  if (access === 'public') return []
  if (access === 'device-only') return [{ deviceKey: [] }]
  return access === 'device' ? [{ token: [] }, { deviceKey: [] }] : [{ token: [] }]
}

const verbs = { get: 'get', post: 'create', put: 'put', patch: 'update', delete: 'delete' } as const

/** `GET /v1/devices`: listDevices; `POST /v1/devices`: createDevice; `GET /v1/devices/{device}/latest`: getDeviceLatest. */
function operationId({ method, path, answer }: AnySpec): string {
  const steps = path.split('/').filter((step) => step !== '' && step !== 'v1')
  const names = steps.flatMap((step, i) => {
    if (step.startsWith('{')) return []
    const one = steps[i + 1]?.startsWith('{') || (method === 'post' && i === steps.length - 1)
    return [one ? singular(step) : step]
  })
  const list = method === 'get' && answer instanceof z.ZodObject && Object.hasOwn(answer.shape, 'items')
  const verb = list ? 'list' : verbs[method]
  return (
    verb +
    names
      .flatMap((name) => name.split(/[^A-Za-z0-9]+/))
      .map(capital)
      .join('')
  )
}

function singular(plural: string): string {
  return plural.replace(/ies$/, 'y').replace(/([^s])s$/, '$1')
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1)
}
