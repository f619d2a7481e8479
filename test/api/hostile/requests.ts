import * as fc from 'fast-check'
import { hostileText, hostileValue, valuesOf } from './schema-values.ts'

/** An operation of the OpenAPI document. */
export interface Operation {
  readonly method: string
  readonly path: string
  readonly parameters: readonly { in: string; name: string; required?: boolean; schema?: unknown }[]
  /** Of a JSON body. */
  readonly body: unknown
  /** Codes that it says it answers with. */
  readonly codes: ReadonlySet<string>
  readonly stream: boolean
}

/** A request before it is sent. */
export interface HostileRequest {
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | null
  /** The path may lead to another operation. */
  readonly astray: boolean
}

/** Requests to one operation: nearly right ones with something wrong in them, and some that are wrong altogether. */
export function requestsTo(
  operation: Operation,
  components: Readonly<Record<string, unknown>>,
  names: readonly string[],
): fc.Arbitrary<HostileRequest> {
  const known = fc.constantFrom(...names)
  const step = fc.oneof(
    { weight: 6, arbitrary: known.map(encodeURIComponent) },
    { weight: 2, arbitrary: hostileText.map(encoded) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        '%2e%2e',
        '%2e%2e%2f%2e%2e',
        '%00',
        '%ff',
        '%',
        '..',
        '.',
        '%2f',
        'x%2fy',
        ';x',
        '%u0041',
      ),
    },
  )
  const steps = operation.path.split('/').map((one) => (one.startsWith('{') ? step : fc.constant(one)))
  const path = fc.tuple(fc.tuple(...steps), fc.integer({ min: 0, max: 40 })).map(([parts, trick]) => {
    const plain = parts.join('/')
    return { plain, where: tricked(plain, trick) }
  })
  const method = fc.oneof(
    { weight: 40, arbitrary: fc.constant(operation.method) },
    { weight: 1, arbitrary: fc.constantFrom('PUT', 'DELETE', 'PATCH', 'POST', 'OPTIONS', 'PROPFIND') },
  )
  return fc
    .tuple(
      method,
      path,
      queryOf(operation, components, known),
      headersOf(operation, known),
      bodyOf(operation, components, known),
    )
    .map(([verb, { plain, where }, query, headers, body]) => ({
      method: verb,
      target: query === '' ? where : `${where}?${query}`,
      headers: { ...body.headers, ...headers },
      body: body.bytes,
      astray: where !== plain || verb !== operation.method || /\/(?:$|\.)/.test(plain),
    }))
}

function queryOf(
  operation: Operation,
  components: Readonly<Record<string, unknown>>,
  known: fc.Arbitrary<string>,
) {
  const parameters = operation.parameters.filter((one) => one.in === 'query')
  const values = parameters.map(({ name, schema, required = false }) => {
    const right = valuesOf(schema ?? {}, components).map((value) =>
      Array.isArray(value) ? value.join(',') : String(value),
    )
    const value = fc.oneof(
      { weight: 5, arbitrary: right },
      { weight: 2, arbitrary: hostileText },
      { weight: 1, arbitrary: known },
    )
    const pair = value.map((one) => `${name}=${encoded(one)}`)
    return fc.option(pair, { nil: '', freq: required ? 20 : 1 })
  })
  const more = fc.oneof(
    { weight: 8, arbitrary: fc.constant('') },
    {
      weight: 1,
      arbitrary: fc
        .tuple(hostileText, hostileText)
        .map(([name, value]) => `${encoded(name)}=${encoded(value)}`),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        'limit=1&limit=2',
        'cursor=e30',
        'cursor=W10',
        'cursor=bnVsbA',
        'fields=id,__proto__',
        '&&',
        '=',
        'a[b]=c',
      ),
    },
  )
  return fc.tuple(...values, more).map((parts) => parts.filter(Boolean).join('&'))
}

function headersOf(operation: Operation, known: fc.Arbitrary<string>): fc.Arbitrary<Record<string, string>> {
  const plain = fc.constant({})
  const odd = fc.oneof(
    fc.constantFrom('"1"', '*', 'W/"0"', '7', '"', '"1", "2"', '""').map((tag) => ({ 'if-match': tag })),
    fc.constantFrom('"1"', '*', 'x').map((tag) => ({ 'if-none-match': tag })),
    fc
      .constantFrom('x', '"8e03978e-40d5-43dd-bc93-6894a57f9324"', 'k'.repeat(300), 'k'.repeat(40))
      .map((key) => ({ 'idempotency-key': key })),
    fc
      .constantFrom('gzip', 'br', '*;q=0', 'identity;q=0', ',,,')
      .map((coding) => ({ 'accept-encoding': coding })),
    fc.constantFrom('a b', '../x', 'y'.repeat(100)).map((id) => ({ 'x-request-id': id })),
    known.map((name) => ({ 'last-event-id': encodeURIComponent(name) })),
    fc.constantFrom('text/html', '*/*;q=0', 'application/xml').map((type) => ({ accept: type })),
  )
  return fc.oneof(
    { weight: 3, arbitrary: plain },
    { weight: operation.method === 'GET' ? 2 : 1, arbitrary: odd },
  )
}

interface Body {
  readonly headers: Record<string, string>
  readonly bytes: Uint8Array | null
}

function bodyOf(
  { body, method }: Operation,
  components: Readonly<Record<string, unknown>>,
  known: fc.Arbitrary<string>,
): fc.Arbitrary<Body> {
  const none = fc.constant<Body>({ headers: {}, bytes: null })
  if (method === 'GET') return fc.oneof({ weight: 20, arbitrary: none }, { weight: 1, arbitrary: raw })
  const json = (value: fc.Arbitrary<unknown>): fc.Arbitrary<Body> =>
    value.map((one) => asJson(JSON.stringify(one) ?? ''))
  const anything = json(hostileValue)
  if (body === undefined)
    return fc.oneof(
      { weight: 3, arbitrary: none },
      { weight: 1, arbitrary: anything },
      { weight: 1, arbitrary: raw },
    )
  const right = valuesOf(body, components)
  return fc.oneof(
    { weight: 6, arbitrary: json(right) },
    {
      weight: 6,
      arbitrary: json(
        spoilt(right, fc.oneof({ weight: 3, arbitrary: hostileValue }, { weight: 1, arbitrary: known })),
      ),
    },
    { weight: 2, arbitrary: anything },
    { weight: 2, arbitrary: raw },
    { weight: 1, arbitrary: none },
  )
}

/** One field has another value, or there is one more. */
function spoilt(right: fc.Arbitrary<unknown>, wrong: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc
    .tuple(
      right,
      wrong,
      fc.nat(50),
      fc.constantFrom('__proto__x', 'id', 'organisation', 'role', 'constructor'),
    )
    .map(([value, other, place, more]) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return other
      const names = Object.keys(value)
      return { ...value, [place < names.length ? names[place] : more]: other }
    })
}

const raw = fc.constantFrom<Body>(
  ...[
    '{"name":"a","name":"b"}',
    '{"name":NaN}',
    '{',
    '[',
    '"',
    '{}{}',
    '\u0000',
    '['.repeat(5000),
    '{"a":'.repeat(5000),
    '{"__proto__":{"admin":true}}',
    '{"n":1e999}',
    '{"n":-1e999}',
    '{"n":123456789012345678901234567890}',
    'null',
    '\ufeff{}',
  ].map(asJson),
  { headers: { 'content-type': 'application/json' }, bytes: Buffer.from([0x22, 0xff, 0xfe, 0x22]) },
  { headers: { 'content-type': 'application/json' }, bytes: Buffer.alloc(70_000, 0x20) },
  {
    headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    bytes: Buffer.from('no gzip'),
  },
  { headers: { 'content-type': 'application/json; charset=utf-16' }, bytes: Buffer.from('{}', 'utf16le') },
  { headers: { 'content-type': 'application/x-www-form-urlencoded' }, bytes: Buffer.from('name=a&name=b') },
  { headers: { 'content-type': 'text/csv' }, bytes: Buffer.from('name,id\n"a,b\n=1+1,\u0000\n,,,,\n') },
  { headers: { 'content-type': 'application/x-ndjson' }, bytes: Buffer.from('{"name":"a"}\n[]\n{{\nnull\n') },
  { headers: { 'content-type': 'multipart/form-data; boundary=x' }, bytes: Buffer.from('--x\r\n\r\n') },
  { headers: {}, bytes: Buffer.from('{}') },
)

function asJson(text: string): Body {
  return { headers: { 'content-type': 'application/json' }, bytes: Buffer.from(text) }
}

/** Percent-encoded as far as it can be; halves of characters as the bytes that some clients make of them. */
function encoded(text: string): string {
  return text.isWellFormed() ? encodeURIComponent(text) : '%ed%a0%80'
}

function tricked(path: string, trick: number): string {
  switch (trick) {
    case 0:
      return path.replace('/v1/', '//v1/')
    case 1:
      return `${path}/`
    case 2:
      return `${path}/..`
    case 3:
      return path.replace('/v1/', '/v1/./')
    case 4:
      return path.replace('/v1/', '/V1/')
    case 5:
      return path.replaceAll('/', '%2f').replace('%2f', '/')
    case 6:
      return `http://other.example${path}`
    case 7:
      return path.replace('/v1/', '/v1/%2e%2e/v1/')
    default:
      return path
  }
}
