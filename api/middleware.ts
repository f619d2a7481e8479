import { randomUUID } from 'node:crypto'
import type { RequestHandler, Response } from 'express'
import type { ApiDeps } from './deps.ts'
import { Problem } from './problems.ts'

const givenId = /^[A-Za-z0-9._-]{1,64}$/

/** The id of the request that a response belongs to. */
export function requestIdOf(response: Response): string {
  return response.get('x-request-id') ?? ''
}

/** Takes over a sensible X-Request-Id, or makes one. */
export const requestId: RequestHandler = (request, response, next) => {
  const given = request.get('x-request-id')
  response.set('x-request-id', given !== undefined && givenId.test(given) ? given : randomUUID())
  next()
}

/**
 * A request target in absolute form must be taken (RFC 9112, 3.2.2): the IoT Guru library on ESP8266 sends
 * `GET http://api.iotguru.live/firmware/... HTTP/1.0`.
 */
export const originForm: RequestHandler = (request, _response, next) => {
  const authority = /^https?:\/\/[^/?#]*/i.exec(request.url)?.[0]
  if (authority !== undefined) {
    const rest = request.url.slice(authority.length)
    request.url = rest.startsWith('/') ? rest : `/${rest}`
  }
  next()
}

/** Counts and times requests, by route and never by their URLs: IoT Guru's have keys in them. */
export function observe(deps: ApiDeps): RequestHandler {
  const seconds = deps.metrics.histogram(
    'cinque_http_request_seconds',
    'Time from a request to the end of its answer, live streams not counted',
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  )
  return (request, response, next) => {
    const began = performance.now()
    response.on('finish', () => {
      const route = routeOf(request.route)
      const elapsed = performance.now() - began
      if (route !== '/v1/live') seconds.observe(elapsed / 1000)
      const status = String(response.statusCode)
      deps.metrics.counter('cinque_http_requests_total', 'Requests answered', {
        method: request.method,
        route,
        status,
      }).value++
      deps.log.debug(
        {
          event: 'http.request',
          method: request.method,
          route,
          status: response.statusCode,
          ms: elapsed,
          request: requestIdOf(response),
        },
        'request',
      )
    })
    next()
  }
}

/** A body that says it is something else than JSON is not taken for JSON. */
export const jsonOnly: RequestHandler = (request, _response, next) => {
  const empty = request.get('content-type') === undefined && Number(request.get('content-length') ?? 0) === 0
  if (empty || request.is('json') !== false) return next()
  throw new Problem('unsupported_media_type', 'send the body as JSON with "Content-Type: application/json"')
}

function routeOf(route: unknown): string {
  if (typeof route !== 'object' || route === null || !('path' in route)) return 'none'
  return typeof route.path === 'string' ? route.path : 'none'
}
