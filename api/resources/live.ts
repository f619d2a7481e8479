import { z } from 'zod'
import { type LiveType, liveTypes } from '#platform/live/live-event.ts'
import type { LiveStream } from '#platform/live/live-stream.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'
import { deviceOf, organisationOf, organisationQuery } from '../scope.ts'
import { type EventStream, openEventStream } from '../event-stream.ts'
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
      show(stream, openEventStream(deps, { caller, request, response }))
      return undefined
    },
  }),
  route({
    method: 'get',
    path: '/v1/live/messages',
    access: 'viewer',
    summary: 'Server-sent events of MQTT messages by topic filter, as they come, wherever they are taken',
    tag: 'live',
    query: z.strictObject({
      ...organisationQuery,
      topic: z
        .string()
        .min(1)
        .max(1024)
        .refine(isFilter, 'must be a topic filter: + and # stand alone in their level, # in the last one')
        .refine(isOpen, "must not begin with $cinque: there devices get their keys, which are nobody else's")
        .describe('topic filter; devices are `v1/devices/{id}/...`'),
    }),
    status: 200,
    stream: 'text/event-stream',
    problems: ['organisation_not_found', 'too_many_streams'],
    handle: async ({ deps, caller, query: { organisation, topic }, request, response }) => {
      const { topics, live: bus } = deps.platform
      const { id: org } = await organisationOf(deps, caller, organisation)
      if (!topics.available) throw new Problem('not_found', 'this process has no broker to ask')
      const stream = topics.subscribe(org, topic)
      if (stream === null) {
        throw new Problem(
          'too_many_streams',
          'close another stream of messages first; 20 topic filters may be watched',
          { retryAfter: 5 },
        )
      }
      response.on('close', () => stream.close())
      // The other processes know what is watched.
      await bus.whole()
      // There is no past that it could go on from.
      stream.complete = request.get('last-event-id') === undefined
      if (!response.closed) show(stream, openEventStream(deps, { caller, request, response }))
      return undefined
    },
  }),
]

/** Writes what a stream gives as fast as the client reads, and what it could not give. */
function show(stream: LiveStream, events: EventStream): void {
  if (!stream.complete) events.write('gap', { reason: 'events after the given id may be missing' })
  events.pump(() => {
    const missed = stream.takeMissed()
    if (missed > 0) events.write('missed', { events: missed })
    if (stream.takeGap())
      events.write('gap', { reason: 'events were lost on their way from another process' })
    return stream.take()?.frame
  })
  stream.onReadable(events.more)
}

/** Wildcards do not cover what begins with $ (MQTT 5, 4.7.2). */
function isOpen(text: string): boolean {
  return text.split('/')[0] !== '$cinque'
}

function isFilter(text: string): boolean {
  const levels = text.split('/')
  return (
    !text.includes('\0') &&
    !text.startsWith('$share/') &&
    levels.every(
      (level, i) =>
        level === '+' ||
        (level === '#' && i === levels.length - 1) ||
        (!level.includes('+') && !level.includes('#')),
    )
  )
}
