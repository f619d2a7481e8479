import { hash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { contentPolicy } from './page.ts'
import type { Files } from './status.ts'

const places: Readonly<Record<string, readonly [file: keyof Files, type: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/status.json': ['status.json', 'application/json; charset=utf-8'],
  '/feed.xml': ['feed.xml', 'application/atom+xml; charset=utf-8'],
}

/** Serves the page, its JSON and its feed; `false`: the path is not its. For everybody, so it costs a look into memory. */
export function statusRoute(
  files: () => Files,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0]
    const place = Object.hasOwn(places, path) ? places[path] : undefined
    if (place === undefined) return false
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end()
      return true
    }
    const [file, type] = place
    const body = Buffer.from(files()[file])
    const etag = `"${hash('sha256', body, 'base64url').slice(0, 22)}"`
    const headers = {
      etag,
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      // Other pages may show the state.
      ...(file === 'index.html'
        ? { 'content-security-policy': `${contentPolicy}; frame-ancestors 'none'` }
        : { 'access-control-allow-origin': '*' }),
    }
    if (request.headers['if-none-match'] === etag) {
      response.writeHead(304, headers).end()
      return true
    }
    response.writeHead(200, { ...headers, 'content-type': type, 'content-length': body.length })
    response.end(request.method === 'HEAD' ? undefined : body)
    return true
  }
}
