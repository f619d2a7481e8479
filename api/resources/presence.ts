import { z } from 'zod'
import { isActive } from '#platform/presence/presence-record.ts'
import { mayTouchDevice } from '../access.ts'
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../paging.ts'
import { route, type Route } from '../route.ts'
import { deviceOf, deviceParams, organisationOf, organisationQuery } from '../scope.ts'
import { devicePresence, presenceEvent, shownEvent, shownPresence } from './presence-shape.ts'

const activeWindow = {
  active_window: z.coerce
    .number('must be a whole number')
    .int()
    .min(10)
    .max(31_536_000)
    .default(600)
    .describe('seconds after its last data in which a device is active'),
}
const flag = z.enum(['true', 'false']).transform((text) => text === 'true')
const maxDevices = 100
const listPlace = z.object({ bucket: z.int().min(0), device: z.string() })
const historyPlace = z.object({
  at: z.int(),
  slot: z.string().regex(/^[0-9a-f]{32}$/),
  epoch: z.int(),
  change: z.int(),
})
const tag = 'presence'

export const presence: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/devices/{device}/presence',
    access: 'device',
    summary: 'Whether a device is connected, since when, from where and how; and whether it is active',
    tag,
    params: deviceParams,
    query: z.strictObject({ ...organisationQuery, ...activeWindow }),
    status: 200,
    fields: true,
    answer: devicePresence,
    problems: ['organisation_not_found', 'device_not_found'],
    handle: async ({ deps, caller, params, query: { organisation, active_window: window } }) => {
      const device = await deviceOf(deps, caller, params.device, organisation)
      const found = await deps.platform.presence.of(device.org, [device.id])
      const [one] = found.values()
      return shownPresence(device, one, { now: deps.clock.now(), window })
    },
  }),
  route({
    method: 'get',
    path: '/v1/devices/{device}/presence/history',
    access: 'device',
    summary: 'When a device came and went, the newest first; kept for 90 days',
    tag,
    params: deviceParams,
    query: z.strictObject({
      ...pageQuery,
      ...organisationQuery,
      from: z.iso.datetime().optional().describe('included'),
      to: z.iso.datetime().optional().describe('not included'),
    }),
    status: 200,
    answer: pageOf(presenceEvent),
    problems: ['organisation_not_found', 'device_not_found'],
    handle: async ({ deps, caller, params, query: { organisation, limit, cursor, from, to } }) => {
      const device = await deviceOf(deps, caller, params.device, organisation)
      const { events, next } = await deps.platform.presence.history(device, {
        limit,
        from: from === undefined ? undefined : Date.parse(from),
        to: to === undefined ? undefined : Date.parse(to),
        after: cursor === undefined ? undefined : decodeCursor(cursor, historyPlace),
      })
      return { items: events.map(shownEvent), next: next === null ? null : encodeCursor(next) }
    },
  }),
  route({
    method: 'get',
    path: '/v1/presence',
    access: 'viewer',
    byGroup: true,
    summary:
      'Presence of some devices, or of all that ever connected or sent data; pages may be short before the last one',
    tag,
    query: z.strictObject({
      ...pageQuery,
      ...organisationQuery,
      ...activeWindow,
      devices: z
        .string()
        .max(8192)
        .transform((text) => text.split(','))
        .pipe(z.array(z.string().min(1).max(128)).max(maxDevices, `must be ${maxDevices} devices at most`))
        .optional()
        .describe('ids or names, with commas between; those that are not there are left out'),
      connected: flag.optional(),
      active: flag.optional(),
    }),
    status: 200,
    answer: pageOf(devicePresence),
    problems: ['organisation_not_found'],
    handle: async ({ deps, caller, query }) => {
      const { id: org } = await organisationOf(deps, caller, query.organisation)
      const { registry, presence: service } = deps.platform
      const now = deps.clock.now()
      const window = query.active_window
      const which = (one: Parameters<typeof isActive>[0]): boolean =>
        (query.connected === undefined || one.connected === query.connected) &&
        (query.active === undefined || isActive(one, now, window * 1000) === query.active)
      const visible = async (named: string) => {
        const device = await registry.devices.find(org, named)
        return device !== undefined && caller !== null && mayTouchDevice(caller, device) ? device : undefined
      }
      if (query.devices !== undefined) {
        const named = await Promise.all(Array.from(new Set(query.devices), visible))
        const devices = named.filter((device) => device !== undefined)
        const found = await service.of(
          org,
          devices.map(({ id }) => id),
        )
        const items = devices.flatMap((device) => {
          const one = found.get(device.id)
          return one === undefined || !which(one) ? [] : [shownPresence(device, one, { now, window })]
        })
        return { items, next: null }
      }
      const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, listPlace)
      const page = await service.list(org, { limit: query.limit, after, which })
      const devices = await Promise.all(page.devices.map(({ device }) => visible(device)))
      const items = page.devices.flatMap((one, i) => {
        const device = devices[i]
        return device === undefined ? [] : [shownPresence(device, one, { now, window })]
      })
      return { items, next: page.next === null ? null : encodeCursor(page.next) }
    },
  }),
]
