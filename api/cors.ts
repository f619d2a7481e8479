import type { RequestHandler } from 'express'

const methods = 'GET, POST, PUT, PATCH, DELETE'
const requestHeaders =
  'authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, x-request-id'
const exposedHeaders =
  'etag, idempotency-replayed, link, location, ratelimit, ratelimit-policy, retry-after, x-request-id'
/** Seconds for which a browser remembers the answer to a preflight; browsers cap it at about this. */
const maxAge = '7200'

/**
 * Cross-origin requests of browsers (Fetch standard, 3.2). `origins` are allowed, as `https://console.example.org`;
 * `*` allows all, which is safe because requests are authorised by a header that only the page's own code can set.
 * Others get no header at all, so that their browser keeps the answer from them.
 */
export function cors(origins: readonly string[]): RequestHandler {
  const allowed = new Set(origins)
  const anybody = allowed.has('*')
  return (request, response, next) => {
    const { origin } = request.headers
    if (allowed.size > 0 && !anybody) response.vary('origin')
    if (origin === undefined || !(anybody || allowed.has(origin))) return next()
    response.set('access-control-allow-origin', anybody ? '*' : origin)
    response.set('access-control-expose-headers', exposedHeaders)
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined)
      return next()
    response.set('access-control-allow-methods', methods)
    response.set('access-control-allow-headers', requestHeaders)
    response.set('access-control-max-age', maxAge)
    response.status(204).end()
  }
}
