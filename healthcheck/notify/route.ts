import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'

/** `/hc/<secret>/notified`: what this checker has sent, for the other checkers, over TLS only. `false`: it is not that. */
export function notifiedRoute(options: {
  secret: string
  page: () => string
}): (request: IncomingMessage, response: ServerResponse) => boolean {
  const known = digest(options.secret)
  return (request, response) => {
    const given = /^\/hc\/([A-Za-z0-9_-]{1,64})\/notified$/.exec(request.url ?? '')?.[1]
    if (given === undefined || request.method !== 'GET') return false
    if (!('encrypted' in request.socket) || !timingSafeEqual(digest(given), known)) return false
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    response.end(options.page())
    return true
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
