import { z } from 'zod'
import { type LiveType, liveTypes } from '#platform/live/live-event.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'
import { deviceOf, organisationOf, organisationQuery } from '../scope.ts'
import { openEventStream } from '../event-stream.ts'
import { watchDevices } from '../group-watch.ts'

const types = z
  .string()
  .max(128)
  .transform((text, context): ReadonlySet<LiveType> => {
    const chosen = new Set<LiveType>()
    for (const name of text.split(',')) {
      const type = liveTypes.find((one) => one === name.trim())
      if (type === undefined) context.addIssue(`"${name}" is none of ${liveTypes.join(', ')}`)
      else chosen.add(type)
    }
    return chosen
  })

export const live: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/live',
    access: 'device',
    byGroup: true,
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
      group: z
        .string()
        .min(1)
        .max(64)
        .optional()
        .describe('only of devices of this group and of the groups inside it, as they are now'),
      types: types.optional().describe(`only these kinds, with commas between: ${liveTypes.join(', ')}`),
      after: z
        .string()
        .max(128)
        .optional()
        .describe('like Last-Event-ID, for clients that cannot set headers'),
    }),
    status: 200,
    stream: 'text/event-stream',
    problems: ['organisation_not_found', 'device_not_found', 'group_not_found', 'too_many_streams'],
    handle: async ({ deps, caller, query, request, response }) => {
      const { live: bus } = deps.platform
      const named = query.device ?? (caller?.kind === 'device' ? 'me' : undefined)
      const { id: org } = await organisationOf(deps, caller, query.organisation)
      const device =
        named === undefined ? undefined : (await deviceOf(deps, caller, named, query.organisation)).id
      const after = request.get('last-event-id') ?? query.after
      const members = await watchDevices(deps, caller, org, query.group)
      const stream = bus.subscribe(org, { device, types: query.types, devices: members?.devices })
      if (stream === null) {
        members?.release()
        throw new Problem('too_many_streams', 'close another live stream of the organisation first', {
          retryAfter: 5,
        })
      }
      response.on('close', () => {
        stream.close()
        members?.release()
      })
      // From the first byte on nothing is missing, whatever process takes it.
      await bus.whole()
      if (after !== undefined) await bus.resume(org, stream, after)
      if (response.closed) return undefined
      const events = openEventStream(deps, { caller, request, response })
      if (!stream.complete) events.write('gap', { reason: 'events after the given id may be missing' })
      events.pump(() => {
        const missed = stream.takeMissed()
        if (missed > 0) events.write('missed', { events: missed })
        if (stream.takeGap())
          events.write('gap', { reason: 'events were lost on their way from another process' })
        return stream.take()?.frame
      })
      stream.onReadable(events.more)
      return undefined
    },
  }),
]
