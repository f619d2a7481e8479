import { hash } from 'node:crypto'
import type { Request, Response } from 'express'

/** Enough of a hash to see a change; who needs more has a version. */
const tagLength = 27

/**
 * Sends JSON text, with a weak ETag of its bytes if it has no version, or 304 if the caller has it already. The same as
 * Express's `json`, which looks at types and character sets once more.
 */
export function sendJson(request: Request, response: Response, body: string): void {
  const bytes = Buffer.byteLength(body)
  const reading = request.method === 'GET' || request.method === 'HEAD'
  if (reading && response.getHeader('etag') === undefined)
    response.setHeader(
      'etag',
      `W/"${bytes.toString(16)}-${hash('sha1', body, 'base64').slice(0, tagLength)}"`,
    )
  if (request.headers['if-none-match'] !== undefined && request.fresh) {
    response.statusCode = 304
    response.end()
    return
  }
  response.setHeader('content-type', 'application/json; charset=utf-8')
  response.setHeader('content-length', bytes)
  if (request.method === 'HEAD') response.end()
  // ASCII, as nearly every answer, need not be encoded once more.
  else response.end(body, bytes === body.length ? 'latin1' : 'utf8')
}
