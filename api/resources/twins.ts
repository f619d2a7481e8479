import { z } from 'zod'
import { twinLimits, twinName } from '#platform/twins/document.ts'
import type { Twin } from '#platform/twins/twins.ts'
import { unlessMoved } from '../conditional.ts'
import { durable, gateLoad, inTime } from '../durable.ts'
import { route, type Route } from '../route.ts'
import type { Call } from '../route-spec.ts'
import { deviceOf, deviceParams, organisationQuery } from '../scope.ts'
import { nameOf } from './command-shape.ts'

const object = z.record(z.string(), z.json())
const twin = z
  .object({
    name: z.string(),
    desired: z.record(z.string(), z.unknown()).describe('what people want'),
    version: z.int().describe('counts the changes of desired; also the ETag'),
    reported: z.record(z.string(), z.unknown()).describe('what the device says'),
    reported_version: z.int().describe('grows with each report'),
    delta: z
      .record(z.string(), z.unknown())
      .describe('what is desired and not reported, which the device is told'),
    in_sync: z.boolean().describe('there is no delta'),
    updated_at: z.iso.datetime().nullable(),
    updated_by: z.string().nullable(),
    reported_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Twin' })
const limits = `at most ${twinLimits.bytes} bytes, ${twinLimits.values} values, ${twinLimits.depth} levels`
const expected = z
  .int()
  .min(0)
  .optional()
  .describe('the version that the change was made from; 409 if it is another')
const params = deviceParams.extend({
  twin: z.string().regex(twinName, 'must be 1 to 64 of A-Z, a-z, 0-9, _ and -'),
})
const query = z.strictObject(organisationQuery)
const notFound = ['organisation_not_found', 'device_not_found'] as const
const tag = 'twins'

export const twins: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/devices/{device}/twins',
    access: 'device',
    byGroup: true,
    summary: 'List the twins of a device: what is desired of it and what it reports',
    tag,
    params: deviceParams,
    query,
    status: 200,
    answer: z.object({ items: z.array(twin) }),
    problems: notFound,
    handle: async ({ deps, caller, params: { device }, query: { organisation } }) => {
      const ref = await deviceOf(deps, caller, device, organisation)
      return { items: (await deps.platform.twins.list(ref)).map(shown) }
    },
  }),
  route({
    method: 'get',
    path: '/v1/devices/{device}/twins/{twin}',
    access: 'device',
    byGroup: true,
    summary: 'Read a twin',
    tag,
    params,
    query,
    status: 200,
    fields: true,
    answer: twin,
    problems: [...notFound, 'twin_not_found'],
    handle: async ({ deps, caller, params: { device, twin: name }, query: { organisation } }) => {
      const ref = await deviceOf(deps, caller, device, organisation)
      return shown(await deps.platform.twins.get(ref, name))
    },
  }),
  route({
    method: 'put',
    path: '/v1/devices/{device}/twins/{twin}',
    access: 'operator',
    byGroup: true,
    summary: 'Replace what is desired of a device; it is told what differs from what it reports',
    tag,
    params,
    query,
    body: z.strictObject({ desired: object.describe(limits), version: expected }),
    status: 200,
    versioned: 'optional',
    answer: twin,
    problems: [...notFound, 'invalid_field', 'conflict', 'limit_reached', 'outcome_unknown'],
    handle: (call) => change(call, { replace: call.body.desired }),
  }),
  route({
    method: 'patch',
    path: '/v1/devices/{device}/twins/{twin}',
    access: 'operator',
    byGroup: true,
    summary: 'Merge into what is desired of a device; null deletes (RFC 7396)',
    tag,
    params,
    query,
    body: z.strictObject({ desired: object.describe(`merge patch; ${limits}`), version: expected }),
    status: 200,
    versioned: 'optional',
    answer: twin,
    problems: [...notFound, 'invalid_field', 'conflict', 'limit_reached', 'outcome_unknown'],
    handle: (call) => change(call, { patch: call.body.desired }),
  }),
  route({
    method: 'delete',
    path: '/v1/devices/{device}/twins/{twin}',
    access: 'operator',
    byGroup: true,
    summary: 'Delete a twin, desired and reported',
    tag,
    params,
    query,
    status: 204,
    versioned: 'optional',
    problems: [...notFound, 'twin_not_found', 'conflict', 'outcome_unknown'],
    handle: async ({
      deps,
      caller,
      params: { device, twin: name },
      query: { organisation },
      precondition,
    }) => {
      const ref = await deviceOf(deps, caller, device, organisation)
      gateLoad(deps, ref.org)
      await inTime(
        deps,
        deps.platform.twins.delete(ref, name, (stored) => precondition.check(stored)),
      )
      return undefined
    },
  }),
  route({
    method: 'patch',
    path: '/v1/devices/me/twins/{twin}/reported',
    access: 'device-only',
    operationId: 'reportTwin',
    summary: 'Merge into what a device reports of itself; the device says it, over HTTP',
    tag,
    params: z.strictObject({ twin: params.shape.twin }),
    body: object.describe(`merge patch; ${limits}`),
    status: 200,
    answer: twin,
    problems: ['invalid_field', 'limit_reached', 'overloaded', 'outcome_unknown'],
    handle: async ({ deps, caller, params: { twin: name }, body }) => {
      const ref = await deviceOf(deps, caller, 'me')
      gateLoad(deps, ref.org)
      deps.platform.twins.report(ref, name, body)
      await durable(deps, ref.org)
      return shown(await deps.platform.twins.get(ref, name))
    },
  }),
]

type Change = Call<z.output<typeof params>, z.output<typeof query>, { version?: number | undefined }>

async function change(
  call: Change,
  desired: { patch?: unknown; replace?: unknown },
): Promise<z.input<typeof twin>> {
  const {
    deps,
    caller,
    params: of,
    query: { organisation },
    body,
    precondition,
    audit,
  } = call
  const ref = await deviceOf(deps, caller, of.device, organisation)
  const changed = await unlessMoved(precondition, () =>
    deps.platform.twins.change(ref, of.twin, {
      ...desired,
      expected: body.version,
      by: nameOf(caller),
      check: (stored) => precondition.check(stored),
      before: (was, version) => audit({ before: { desired: was, version } }),
    }),
  )
  audit({ targets: [ref.id], after: { name: of.twin, desired: changed.desired, version: changed.version } })
  call.version(changed.version)
  return shown(changed)
}

function shown(one: Twin): z.input<typeof twin> {
  return {
    name: one.name,
    desired: one.desired,
    version: one.version,
    reported: one.reported,
    reported_version: one.reportedVersion,
    delta: one.delta ?? {},
    in_sync: one.delta === undefined,
    updated_at: timeOf(one.updatedAt),
    updated_by: one.updatedBy ?? null,
    reported_at: timeOf(one.reportedAt),
  }
}

function timeOf(at: number | undefined): string | null {
  return at === undefined ? null : new Date(at).toISOString()
}
