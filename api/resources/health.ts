import { z } from 'zod'
import type { ApiDeps } from '../deps.ts'
import { route, type Route } from '../route.ts'

const health = z.object({ status: z.enum(['ok', 'unavailable']), reason: z.string().optional() })
const tag = 'meta'

export const healthRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/livez',
    access: 'public',
    summary: 'Whether the process runs',
    tag,
    status: 200,
    answer: health,
    handle: () => ({ status: 'ok' as const }),
  }),
  route({
    method: 'get',
    path: '/readyz',
    access: 'public',
    summary: 'Whether requests should be sent here; 503 with the reason if not',
    tag,
    status: 200,
    stream: 'application/json',
    handle: ({ deps, response }) => {
      const reason = whyNot(deps)
      response.status(reason === null ? 200 : 503)
      response.json(reason === null ? { status: 'ok' } : { status: 'unavailable', reason })
      return undefined
    },
  }),
  route({
    method: 'get',
    path: '/metrics',
    access: 'public',
    summary: 'Prometheus metrics; no organisation or device is named in them',
    tag,
    status: 200,
    stream: 'text/plain',
    handle: ({ deps, response }) => {
      response.type('text/plain; version=0.0.4').send(deps.metrics.render())
      return undefined
    },
  }),
]

function whyNot(deps: ApiDeps): string | null {
  if (deps.stopping?.aborted === true) return 'stopping'
  // A lane that waits for other DCs refuses its organisations' requests by itself: the others are served.
  if (deps.platform.lanes.local.failing) return 'the store cannot be written'
  return deps.storeAway?.() ?? deps.notReady?.() ?? null
}
