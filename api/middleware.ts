import { randomUUID } from 'node:crypto'
import compression from 'compression'
import type { Request, RequestHandler, Response } from 'express'
import helmet from 'helmet'
import type { Counter } from '#platform/metrics.ts'
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

/**
 * Who names a tag wants it compared. `fetch` adds `Cache-Control: no-cache` to such a request, by which Express would
 * send everything again; there is no cache here that it could mean.
 */
export const compareTags: RequestHandler = (request, _response, next) => {
  if (request.headers['if-none-match'] !== undefined) delete request.headers['cache-control']
  next()
}

/**
 * What browsers are told: pages of this origin load nothing from elsewhere, are in no frame, and what looks like a
 * script but is none is not run. HSTS is left to whoever ends TLS.
 */
const helmeted = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
      objectSrc: ["'none'"],
    },
  },
  // Pages of allowed origins may read what CORS lets them.
  crossOriginResourcePolicy: { policy: 'cross-origin' },
  strictTransportSecurity: false,
  // For browsers that nobody has any more.
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false,
})

/** They are always the same: asked for once, because helmet makes each anew for every answer. */
const fixedHeaders: readonly (readonly [string, string])[] = collected()

function collected(): [string, string][] {
  const headers: [string, string][] = []
  const response = {
    setHeader: (name: string, value: string) => headers.push([name, value]),
    removeHeader: () => undefined,
  }
  // It uses nothing else of the two.
  helmeted({} as Request, response as unknown as Response, () => undefined)
  return headers
}

export const securityHeaders: RequestHandler = (_request, response, next) => {
  for (const [name, value] of fixedHeaders) response.setHeader(name, value)
  next()
}

/** Answers that are shorter cost more to compress than to send. */
const minCompressed = 1024

/** gzip, br or deflate for who asks for it; live streams go out as they are, an event must not wait in a compressor. */
const compressing = compression({
  threshold: minCompressed,
  filter: (request, response) =>
    !String(response.getHeader('content-type')).startsWith('text/event-stream') &&
    compression.filter(request, response),
})

export const compressed: RequestHandler = (request, response, next) => {
  if (request.headers['accept-encoding'] === undefined) {
    response.vary('accept-encoding')
    next()
  } else compressing(request, response, next)
}

/** Counts and times requests, by route and never by their URLs: IoT Guru's have keys in them. */
export function observe(deps: ApiDeps): RequestHandler {
  const seconds = deps.metrics.histogram(
    'cinque_http_request_seconds',
    'Time from a request to the end of its answer, live streams not counted',
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  )
  /** Looking a counter up by its labels takes longer than counting. */
  const counters = new Map<string, Counter>()
  const counterOf = (method: string, route: string, code: number): Counter => {
    const name = `${method} ${route} ${code}`
    let counter = counters.get(name)
    if (counter === undefined) {
      const labels = { method, route, status: String(code) }
      counter = deps.metrics.counter('cinque_http_requests_total', 'Requests answered', labels)
      counters.set(name, counter)
    }
    return counter
  }
  const debugging = (): boolean => deps.log.isLevelEnabled('debug')
  return (request, response, next) => {
    const began = performance.now()
    response.on('finish', () => {
      const route = routeOf(request.route)
      const elapsed = performance.now() - began
      const live = String(response.getHeader('content-type')).startsWith('text/event-stream')
      if (!live) seconds.observe(elapsed / 1000)
      counterOf(request.method, route, response.statusCode).value++
      if (debugging())
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
  const type = request.get('content-type') ?? ''
  const charset = /;\s*charset="?([^";\s]+)/i.exec(type)?.[1] ?? 'utf-8'
  if (empty || (request.is('json') !== false && charset.toLowerCase() === 'utf-8')) return next()
  throw new Problem(
    'unsupported_media_type',
    'send the body as JSON in UTF-8 with "Content-Type: application/json"',
  )
}

function routeOf(route: unknown): string {
  if (typeof route !== 'object' || route === null || !('path' in route)) return 'none'
  return typeof route.path === 'string' ? route.path : 'none'
}
