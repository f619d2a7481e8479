import type { Request, Response } from 'express'
import { z } from 'zod'
import type { LiveSubscription, PlacedEvent } from '#platform/live/live-bus.ts'
import { authenticate } from '../callers.ts'
import type { ApiDeps } from '../deps.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'
import { deviceOf, organisationOf, organisationQuery } from '../scope.ts'

/** Signs of life a client may leave unread before its stream is closed. */
const maxUnread = 4

export const live: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/live',
    access: 'device',
    summary: 'Server-sent events of what becomes durable; Last-Event-ID goes on where a stream ended',
    tag: 'live',
    query: z.strictObject({
      ...organisationQuery,
      device: z
        .string()
        .min(1)
        .max(128)
        .optional()
        .describe('only of this device, by id or name; `me` with its key'),
      after: z
        .string()
        .max(64)
        .optional()
        .describe('like Last-Event-ID, for clients that cannot set headers'),
    }),
    status: 200,
    stream: 'text/event-stream',
    problems: ['organisation_not_found', 'device_not_found', 'too_many_streams'],
    handle: async ({ deps, caller, query, request, response }) => {
      const named = query.device ?? (caller?.kind === 'device' ? 'me' : undefined)
      const { id: org } = await organisationOf(deps, caller, query.organisation)
      const device =
        named === undefined ? undefined : (await deviceOf(deps, caller, named, query.organisation)).id
      const after = request.get('last-event-id') ?? query.after
      const subscription = deps.platform.live.subscribe(org, { device, after })
      if (subscription === null) {
        throw new Problem('too_many_streams', 'close another live stream of the organisation first', {
          retryAfter: 5,
        })
      }
      // From the first byte on nothing is missing, whatever process takes it.
      await deps.platform.live.whole()
      if (response.closed) subscription.close()
      else stream(deps, subscription, request, response)
      return undefined
    },
  }),
]

/** Writes events as fast as the client reads; what does not fit its queue is dropped by the bus, and told here. */
function stream(deps: ApiDeps, subscription: LiveSubscription, request: Request, response: Response): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  })
  response.write('retry: 2000\n\n')
  if (!subscription.complete)
    response.write(frame('gap', { reason: 'events after the given id are not kept any more' }))
  const send = (): void => {
    while (!response.writableNeedDrain && !response.writableEnded) {
      const dropped = subscription.takeDropped()
      if (dropped > 0) response.write(frame('dropped', { events: dropped }))
      if (subscription.takeGap())
        response.write(frame('gap', { reason: 'events were lost on their way from another process' }))
      const placed = subscription.take()
      if (placed === undefined) return
      response.write(asText(placed))
    }
  }
  let unread = 0
  const heartbeat = setInterval(() => {
    unread = response.writableNeedDrain ? unread + 1 : 0
    if (unread > maxUnread) response.destroy()
    else if (unread === 0 && !response.writableEnded) response.write(':\n\n')
    // A key that was rotated or deleted must not go on listening.
    authenticate(deps, request).catch((error: unknown) => {
      if (error instanceof Problem) response.end()
    })
  }, deps.heartbeat ?? 15_000)
  subscription.onReadable(send)
  response.on('drain', send)
  const end = (): void => void response.end()
  deps.stopping?.addEventListener('abort', end)
  response.on('close', () => {
    clearInterval(heartbeat)
    deps.stopping?.removeEventListener('abort', end)
    subscription.close()
  })
  send()
}

function asText({ cursor, event }: PlacedEvent): string {
  const { type, at, points } = event
  const device = { id: event.device.id, name: event.device.name }
  return `id: ${cursor}\n${frame(type, { device, at, points })}`
}

function frame(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}
