import { createHash, createHmac } from 'node:crypto'

export interface S3Credentials {
  readonly accessKey: string
  readonly secretKey: string
}

export interface SignedRequest {
  readonly method: string
  readonly url: URL
  /** Beside those that signing adds; names in small letters. */
  readonly headers: Readonly<Record<string, string>>
  /** SHA-256 of the body in hex. */
  readonly bodyHash: string
}

/**
 * The headers of a request with those of AWS Signature Version 4 (`Authenticating Requests: Using the Authorization
 * Header`, Amazon S3 API reference). S3 takes the path as it is, without a second round of escapes.
 */
export function signedHeaders(
  request: SignedRequest,
  credentials: S3Credentials,
  region: string,
  at: Date,
): Record<string, string> {
  const { method, url, bodyHash } = request
  const time = at.toISOString().replace(/[-:]|\.\d{3}/g, '')
  const scope = `${time.slice(0, 8)}/${region}/s3/aws4_request`
  const headers: Record<string, string> = {
    ...request.headers,
    host: url.host,
    'x-amz-content-sha256': bodyHash,
    'x-amz-date': time,
  }
  const names = Object.keys(headers).toSorted()
  const signed = names.join(';')
  const canonical = [
    method,
    url.pathname,
    canonicalQuery(url.searchParams),
    ...names.map((name) => `${name}:${headers[name].trim()}`),
    '',
    signed,
    bodyHash,
  ].join('\n')
  const text = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')
  let key: Buffer = Buffer.from(`AWS4${credentials.secretKey}`)
  for (const part of scope.split('/')) key = hmac(key, part)
  const signature = hmac(key, text).toString('hex')
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKey}/${scope},SignedHeaders=${signed},Signature=${signature}`
  // fetch sets it from the address.
  delete headers.host
  return headers
}

/** The query as it has to be sent, too: a space is %20 in it, not a plus. */
export function canonicalQuery(query: URLSearchParams): string {
  return [...query]
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
    .toSorted()
    .join('&')
}

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function escaped(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
