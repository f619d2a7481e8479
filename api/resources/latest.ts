import { hash } from 'node:crypto'
import { z } from 'zod'
import type { Point } from '#platform/telemetry/point.ts'
import type { Caller } from '../callers.ts'
import type { ApiDeps } from '../deps.ts'
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../paging.ts'
import { route, type Route } from '../route.ts'
import { deviceOf, deviceParams, organisationOf, organisationQuery } from '../scope.ts'
import { filterOf, filterQuery } from './device-shape.ts'
import { keyList, point, wrongQuery } from './telemetry-query.ts'

const maxNamed = 200
/** Devices that are read at a time. */
const atOnce = 64
const tag = 'telemetry'

const newest = point.extend({
  age_ms: z.int().describe('how long ago that was when this was asked; below 0: its clock is ahead'),
})
const values = z
  .object({ device: z.object({ id: z.string(), name: z.string() }), values: z.array(newest) })
  .meta({ id: 'LatestOfDevice' })

export const latestRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/devices/{device}/latest',
    access: 'device',
    summary: 'The newest value of each key',
    tag,
    params: deviceParams,
    query: z.strictObject({
      ...organisationQuery,
      keys: keyList.describe('only these, separated by commas'),
    }),
    status: 200,
    answer: z.object({ items: z.array(point) }),
    problems: ['organisation_not_found', 'device_not_found'],
    handle: async ({ deps, caller, params: { device }, query }) => {
      const ref = await deviceOf(deps, caller, device, query.organisation)
      return { items: await deps.platform.telemetry.latest(ref, query.keys) }
    },
  }),
  route({
    method: 'get',
    path: '/v1/telemetry/latest',
    access: 'viewer',
    byGroup: true,
    summary:
      'The newest values of many devices, with their ages; the ETag changes with the values, not with their ages',
    tag,
    query: z.strictObject({
      ...pageQuery,
      ...organisationQuery,
      ...filterQuery,
      devices: z
        .string()
        .min(1)
        .max(16_384)
        .transform((text) => [...new Set(text.split(','))])
        .pipe(z.array(z.string().min(1).max(128)).max(maxNamed))
        .optional()
        .describe(
          `only these, by id or name, separated by commas, at most ${maxNamed}; goes without filters`,
        ),
      keys: keyList.describe('only these, separated by commas'),
    }),
    status: 200,
    versioned: 'optional',
    answer: pageOf(values),
    problems: ['invalid_field', 'organisation_not_found', 'group_not_found', 'device_not_found'],
    handle: async ({ deps, caller, query, version }) => {
      const { organisation, limit, cursor, devices: named, keys, ...filter } = query
      const { id: org } = await organisationOf(deps, caller, organisation)
      const page =
        named === undefined
          ? await found(deps, caller, org, { filter, limit, cursor })
          : await listed(deps, caller, { named, organisation, filter, cursor })
      const all = await inLots(page.devices, (device) =>
        deps.platform.telemetry.latest({ ...device, org }, keys),
      )
      version(hash('sha256', JSON.stringify([page, all]), 'base64url').slice(0, 22))
      const now = deps.clock.now()
      const items = page.devices.map((device, at) => ({
        device,
        values: all[at].map((one) => aged(one, now)),
      }))
      return { items, next: page.next }
    },
  }),
]

interface Named {
  readonly id: string
  readonly name: string
}

interface DevicePage {
  readonly devices: readonly Named[]
  readonly next: string | null
}

async function found(
  deps: ApiDeps,
  caller: Caller | null,
  org: string,
  {
    filter,
    limit,
    cursor,
  }: { filter: Parameters<typeof filterOf>[3]; limit: number; cursor?: string | undefined },
): Promise<DevicePage> {
  const after = cursor === undefined ? undefined : decodeCursor(cursor, z.string().max(64))
  const wanted = await filterOf(deps, caller, org, filter)
  const page = await deps.platform.deviceIndex.search(org, wanted, { limit, after })
  const devices = page.devices.map(({ id, name }) => ({ id, name }))
  return { devices, next: page.next === null ? null : encodeCursor(page.next) }
}

/** Those that were named, in that order; each must be there. */
async function listed(
  deps: ApiDeps,
  caller: Caller | null,
  query: {
    named: readonly string[]
    organisation?: string | undefined
    filter: object
    cursor?: string | undefined
  },
): Promise<DevicePage> {
  const [other] = Object.entries(query.filter).filter(([, value]) => value !== undefined)
  if (other !== undefined) throw wrongQuery(other[0], 'goes without devices')
  if (query.cursor !== undefined) throw wrongQuery('cursor', 'goes without devices')
  const refs = await inLots(query.named, (name) => deviceOf(deps, caller, name, query.organisation))
  return { devices: refs.map(({ id, name }) => ({ id, name })), next: null }
}

async function inLots<A, B>(all: readonly A[], read: (one: A) => Promise<B>): Promise<B[]> {
  const results: B[] = []
  for (let at = 0; at < all.length; at += atOnce) {
    // oxlint-disable-next-line no-await-in-loop -- a bounded number at a time
    results.push(...(await Promise.all(all.slice(at, at + atOnce).map(read))))
  }
  return results
}

function aged({ key, ts, value }: Point, now: number): z.input<typeof newest> {
  return { key, ts, value, age_ms: now - ts }
}
