import { z } from 'zod'
import type { CommandBatch } from '#platform/commands/batch-rows.ts'
import { batchLot, type BatchView } from '#platform/commands/batches.ts'
import { commandId } from '#platform/commands/command.ts'
import { commandStates } from '#platform/commands/facts.ts'
import { groupsOf } from '../access.ts'
import type { Caller } from '../callers.ts'
import { gateLoad, inTime } from '../durable.ts'
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../paging.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'
import { deviceOf, organisationOf, organisationQuery } from '../scope.ts'
import {
  command,
  inputOf,
  nameOf,
  requestFields,
  shown,
  states,
  untilGone,
  waitQuery,
} from './command-shape.ts'
import { filterOf, filterQuery } from './device-shape.ts'

/** Devices named one by one; more are meant by a filter. */
const maxNamed = 1000

const filter = z
  .strictObject({
    prefix: filterQuery.prefix,
    q: filterQuery.q,
    label: filterQuery.label,
    group: filterQuery.group,
    profile: filterQuery.profile,
    firmware: filterQuery.firmware,
    online: z.boolean().optional(),
    enabled: z.boolean().optional(),
  })
  .describe('as the parameters of GET /v1/devices; {}: all devices')

const batch = z
  .object({
    id: z.string(),
    name: z.string(),
    params: z.unknown(),
    target: z.unknown().describe('what was asked for: devices, group or filter'),
    state: z
      .enum(['making', 'made', 'interrupted'])
      .describe('interrupted: its process ended; the same request with the same id goes on'),
    made: z.int().describe('devices that have their command'),
    created_at: z.iso.datetime(),
    created_by: z.string().nullable(),
    expires_at: z.iso.datetime(),
  })
  .meta({ id: 'CommandBatch' })
const withCounts = batch.extend({
  counts: z.object(
    Object.fromEntries(commandStates.map((state) => [state, z.int()])) as Record<
      (typeof commandStates)[number],
      z.ZodInt
    >,
  ),
  ended: z.boolean().describe('all commands are made and have ended'),
})
const params = z.strictObject({ batch: z.string().min(1).max(64) })
const query = z.strictObject(organisationQuery)
const place = z.tuple([z.int(), z.string().max(64)])
const notFound = ['organisation_not_found', 'batch_not_found'] as const
const tag = 'commands'

export const commandBatches: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/commands',
    access: 'operator',
    byGroup: true,
    operationId: 'sendCommands',
    summary: 'Send one command to many devices, as a batch; it is made after the answer',
    tag,
    query,
    body: z
      .strictObject({
        ...requestFields,
        id: z
          .string()
          .regex(commandId)
          .optional()
          .describe('chosen by the client: the same again is the same batch'),
        devices: z.array(z.string().min(1).max(128)).min(1).max(maxNamed).optional().describe('ids or names'),
        group: filterQuery.group.describe('all devices of this group and those inside it'),
        filter: filter.optional(),
      })
      .refine(
        ({ devices, group, filter: some }) =>
          [devices, group, some].filter((one) => one !== undefined).length === 1,
        { message: 'exactly one of devices, group and filter must be given', path: ['devices'] },
      ),
    status: 201,
    answer: withCounts,
    problems: [
      'invalid_field',
      'organisation_not_found',
      'device_not_found',
      'group_not_found',
      'command_exists',
      'limit_reached',
      'overloaded',
      'outcome_unknown',
    ],
    handle: async ({ deps, caller, query: { organisation }, body, response, repeatableId }) => {
      const owner = await organisationOf(deps, caller, organisation)
      gateLoad(deps, owner.id)
      const { devices, group, filter: some } = body
      const targets =
        devices === undefined
          ? deps.platform.deviceIndex.all(
              owner.id,
              await filterOf(deps, caller, owner.id, some ?? { group }),
              batchLot,
            )
          : lots(await Promise.all(devices.map((one) => deviceOf(deps, caller, one, organisation))))
      const asked = { ...inputOf(body, caller), id: body.id ?? repeatableId ?? undefined }
      const { batches } = deps.platform.commands
      if (isLimited(caller) && asked.id !== undefined) {
        const there = await batches.find(owner.id, asked.id)
        if (there !== undefined && !isOwn(caller, there))
          throw new Problem('command_exists', 'is the id of another batch')
      }
      const target = JSON.stringify({ devices, group, filter: some })
      const made = await inTime(deps, batches.create(owner.id, asked, target, targets))
      response.location(`/v1/command-batches/${made.batch.id}`)
      return shownView(made)
    },
  }),
  route({
    method: 'get',
    path: '/v1/command-batches',
    access: 'viewer',
    operationId: 'listCommandBatches',
    summary: 'List batches of commands, newest first',
    tag,
    query: z.strictObject({ ...pageQuery, ...organisationQuery }),
    status: 200,
    answer: pageOf(batch),
    problems: ['organisation_not_found'],
    handle: async ({ deps, caller, query: { organisation, limit, cursor } }) => {
      const owner = await organisationOf(deps, caller, organisation)
      const [createdAt, id] = cursor === undefined ? [] : decodeCursor(cursor, place)
      const after = createdAt === undefined || id === undefined ? undefined : { createdAt, id }
      const { items, next } = await deps.platform.commands.batches.list(owner.id, { limit, after })
      return { items: items.map(shownBatch), next: next && encodeCursor([next.createdAt, next.id]) }
    },
  }),
  route({
    method: 'get',
    path: '/v1/command-batches/{batch}',
    access: 'viewer',
    byGroup: true,
    operationId: 'readCommandBatch',
    summary: 'Read a batch with the number of its commands in each state; with wait, when all have ended',
    tag,
    params,
    query: z.strictObject({ ...organisationQuery, wait: waitQuery }),
    status: 200,
    answer: withCounts,
    problems: notFound,
    handle: async ({ deps, caller, params: { batch: id }, query: { organisation, wait }, request }) => {
      const owner = await organisationOf(deps, caller, organisation)
      const { batches } = deps.platform.commands
      const view =
        wait === undefined
          ? await batches.get(owner.id, id)
          : await batches.wait(owner.id, id, wait * 1000, untilGone(request, deps))
      gateOwn(caller, view.batch)
      return shownView(view)
    },
  }),
  route({
    method: 'get',
    path: '/v1/command-batches/{batch}/commands',
    access: 'viewer',
    byGroup: true,
    operationId: 'listCommandsOfBatch',
    summary: 'List the commands of a batch',
    tag,
    params,
    query: z.strictObject({ ...pageQuery, ...organisationQuery, state: states }),
    status: 200,
    fields: true,
    answer: pageOf(command),
    problems: notFound,
    handle: async ({
      deps,
      caller,
      params: { batch: id },
      query: { organisation, limit, cursor, state },
    }) => {
      const owner = await organisationOf(deps, caller, organisation)
      const { batches } = deps.platform.commands
      gateOwn(caller, await batches.head(owner.id, id))
      const [bucket, device] = cursor === undefined ? [] : decodeCursor(cursor, place)
      const after = bucket === undefined || device === undefined ? undefined : { bucket, device }
      const { items, next } = await batches.items(owner.id, id, { limit, after, states: state })
      return { items: items.map(shown), next: next && encodeCursor([next.bucket, next.device]) }
    },
  }),
  route({
    method: 'post',
    path: '/v1/command-batches/{batch}/cancel',
    access: 'operator',
    byGroup: true,
    operationId: 'cancelCommandBatch',
    summary: 'Cancel the commands of a batch that have not ended',
    tag,
    params,
    query,
    status: 200,
    answer: z.object({ cancelled: z.int() }),
    problems: [...notFound, 'conflict', 'overloaded', 'outcome_unknown'],
    handle: async ({ deps, caller, params: { batch: id }, query: { organisation } }) => {
      const owner = await organisationOf(deps, caller, organisation)
      gateLoad(deps, owner.id)
      const { batches } = deps.platform.commands
      gateOwn(caller, await batches.head(owner.id, id))
      return { cancelled: await batches.cancel(owner.id, id) }
    },
  }),
]

/** Who has only some groups sees the batches that are his own. */
function gateOwn(caller: Caller | null, one: CommandBatch): void {
  if (isLimited(caller) && !isOwn(caller, one)) throw new Problem('batch_not_found', `no batch "${one.id}"`)
}

function isLimited(caller: Caller | null): boolean {
  return caller !== null && groupsOf(caller) !== null
}

function isOwn(caller: Caller | null, { createdBy }: CommandBatch): boolean {
  return createdBy === nameOf(caller)
}

async function* lots<T>(all: readonly T[]): AsyncGenerator<readonly T[]> {
  for (let i = 0; i < all.length; i += batchLot) yield all.slice(i, i + batchLot)
}

function shownBatch(one: CommandBatch): z.input<typeof batch> {
  return {
    id: one.id,
    name: one.name,
    params: one.params === undefined ? null : JSON.parse(one.params),
    target: JSON.parse(one.target),
    state: one.state,
    made: one.made,
    created_at: new Date(one.createdAt).toISOString(),
    created_by: one.createdBy ?? null,
    expires_at: new Date(one.expiresAt).toISOString(),
  }
}

function shownView({ batch: one, counts, ended }: BatchView): z.input<typeof withCounts> {
  return { ...shownBatch(one), counts, ended }
}
