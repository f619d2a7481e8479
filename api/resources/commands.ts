import type { Request } from 'express'
import { z } from 'zod'
import { commandId, commandLimits, commandName } from '#platform/commands/command.ts'
import type { CommandView } from '#platform/commands/commands.ts'
import { commandStates } from '#platform/commands/facts.ts'
import { jsonOf, textOf } from '#platform/json.ts'
import { groupsOf, mayTouchDevice } from '../access.ts'
import type { Caller } from '../callers.ts'
import type { ApiDeps } from '../deps.ts'
import { gateLoad } from '../durable.ts'
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../paging.ts'
import { route, type Route } from '../route.ts'
import { deviceOf, deviceParams, organisationOf, organisationQuery } from '../scope.ts'

const day = 86_400
const maxWait = 60

const seconds = (max: number): z.ZodInt => z.int().min(1).max(max)

/** What is asked, of one device or of many. */
export const requestFields = {
  name: z
    .string()
    .regex(commandName, 'must be 1 to 64 of A-Z, a-z, 0-9, _, ., : and -, not ., : or - first')
    .describe('`method` of the message that the device gets'),
  params: z.json().optional().describe(`JSON of at most ${commandLimits.params} bytes`),
  ttl: seconds(commandLimits.ttl / 1000)
    .default(day)
    .describe('seconds in which it must be delivered; then it has expired'),
  timeout: seconds(commandLimits.timeout / 1000)
    .default(60)
    .describe('seconds from delivery, or from the last progress, to the answer; then it has timed out'),
  retries: z
    .int()
    .min(0)
    .max(commandLimits.retries)
    .default(0)
    .describe('how often it is sent again when the timeout has passed, within the ttl'),
  one_way: z
    .boolean()
    .default(false)
    .describe('no answer is expected: it has succeeded when it is delivered'),
}

const time = z.iso.datetime().nullable()
const state = z.enum(commandStates)
const command = z
  .object({
    id: z.string(),
    device: z.string().describe('id of the device'),
    batch: z.string().nullable(),
    name: z.string(),
    params: z.unknown(),
    state,
    ttl: z.number(),
    timeout: z.number(),
    retries: z.int(),
    one_way: z.boolean(),
    attempt: z.int().describe('how often it was sent because of a timeout, and the first time; 0: not yet'),
    created_at: z.iso.datetime(),
    created_by: z.string().nullable(),
    expires_at: z.iso.datetime(),
    sent_at: time.describe('when this attempt was written to a connection of the device'),
    delivered_at: time.describe("when the device acknowledged it: its own PUBACK, not the broker's"),
    progress: z
      .object({ at: z.iso.datetime(), percent: z.number().nullable(), message: z.string().nullable() })
      .nullable()
      .describe("the device's newest word that it is at it"),
    ended_at: time,
  })
  .meta({ id: 'Command' })
const withResult = command.extend({
  result: z
    .unknown()
    .describe('what the device answered: JSON, text, or base64 as result_encoding says; null: nothing'),
  result_encoding: z.enum(['json', 'text', 'base64']).nullable(),
})
const id = z.string().regex(commandId, 'must be 1 to 64 of A-Z, a-z, 0-9, _ and -')
const params = deviceParams.extend({ command: z.string().min(1).max(64) })
const query = z.strictObject(organisationQuery)
const place = z.tuple([z.int(), z.string().max(64)])
const states = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(state).min(1))
  .optional()
  .describe('only in these states, separated by commas; a page may then be short though there is a next one')
const notFound = ['organisation_not_found', 'device_not_found'] as const
const tag = 'commands'

export const commands: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/devices/{device}/commands',
    access: 'operator',
    byGroup: true,
    operationId: 'sendCommand',
    summary: 'Send a command; a device that is away gets it when it comes back within the ttl',
    tag,
    params: deviceParams,
    query,
    body: z.strictObject({
      ...requestFields,
      id: id.optional().describe('chosen by the client: the same again is the same command, sent once'),
    }),
    status: 201,
    answer: command,
    problems: [...notFound, 'invalid_field', 'command_exists', 'overloaded', 'outcome_unknown'],
    handle: async ({
      deps,
      caller,
      params: { device },
      query: { organisation },
      body,
      response,
      repeatableId,
    }) => {
      const ref = await deviceOf(deps, caller, device, organisation)
      gateLoad(deps)
      const asked = { ...inputOf(body, caller), id: body.id ?? repeatableId ?? undefined }
      const made = await deps.platform.commands.create(ref, asked)
      response.location(`/v1/devices/${ref.id}/commands/${made.command.id}`)
      return shown(made)
    },
  }),
  route({
    method: 'get',
    path: '/v1/devices/{device}/commands',
    access: 'viewer',
    byGroup: true,
    operationId: 'listDeviceCommands',
    summary: 'List the commands of a device, newest first',
    tag,
    params: deviceParams,
    query: z.strictObject({ ...pageQuery, ...organisationQuery, state: states }),
    status: 200,
    fields: true,
    answer: pageOf(command),
    problems: notFound,
    handle: async ({
      deps,
      caller,
      params: { device },
      query: { organisation, limit, cursor, state: wanted },
    }) => {
      const ref = await deviceOf(deps, caller, device, organisation)
      const asked = { limit, after: placeOf(cursor), states: wanted }
      return shownPage(await deps.platform.commands.listing.ofDevice(ref.org, ref.id, asked))
    },
  }),
  route({
    method: 'get',
    path: '/v1/commands',
    access: 'viewer',
    byGroup: true,
    operationId: 'listCommands',
    summary: 'List the commands of all devices, newest first',
    tag,
    query: z.strictObject({ ...pageQuery, ...organisationQuery, state: states }),
    status: 200,
    fields: true,
    answer: pageOf(command),
    problems: ['organisation_not_found'],
    handle: async ({ deps, caller, query: { organisation, limit, cursor, state: wanted } }) => {
      const owner = await organisationOf(deps, caller, organisation)
      const asked = { limit, after: placeOf(cursor), states: wanted, of: visible(deps, caller, owner.id) }
      return shownPage(await deps.platform.commands.listing.ofOrganisation(owner.id, asked))
    },
  }),
  route({
    method: 'get',
    path: '/v1/devices/{device}/commands/{command}',
    access: 'viewer',
    byGroup: true,
    operationId: 'readCommand',
    summary: 'Read a command with its result; with wait, when it has ended',
    tag,
    params,
    query: z.strictObject({
      ...organisationQuery,
      wait: z
        .string()
        .regex(/^\d{1,2}s?$/, 'must be seconds, like 30s')
        .transform((text) => Number.parseInt(text, 10))
        .pipe(z.int().max(maxWait))
        .optional()
        .describe(`seconds (30s; at most ${maxWait}) to wait for its end; then it is answered as it is`),
    }),
    status: 200,
    fields: true,
    answer: withResult,
    problems: [...notFound, 'command_not_found'],
    handle: async ({
      deps,
      caller,
      params: { device, command: one },
      query: { organisation, wait },
      request,
    }) => {
      const ref = await deviceOf(deps, caller, device, organisation)
      const { commands: service } = deps.platform
      const view =
        wait === undefined
          ? await service.get(ref, one)
          : await service.wait(ref, one, wait * 1000, untilGone(request, deps))
      return { ...shown(view), ...shownResult(await service.result(view)) }
    },
  }),
  route({
    method: 'post',
    path: '/v1/devices/{device}/commands/{command}/cancel',
    access: 'operator',
    byGroup: true,
    operationId: 'cancelCommand',
    summary: 'Cancel a command; a device that has it is told on v1/devices/me/rpc/cancel/{id}',
    tag,
    params,
    query,
    status: 200,
    answer: command,
    problems: [...notFound, 'command_not_found', 'command_ended', 'overloaded', 'outcome_unknown'],
    handle: async ({ deps, caller, params: { device, command: one }, query: { organisation } }) => {
      const ref = await deviceOf(deps, caller, device, organisation)
      gateLoad(deps)
      return shown(await deps.platform.commands.cancel(ref, one))
    },
  }),
]

type Asked = z.output<z.ZodObject<typeof requestFields>>

export function inputOf(
  body: Asked,
  caller: Caller | null,
): Parameters<ApiDeps['platform']['commands']['create']>[1] {
  return {
    name: body.name,
    params: body.params,
    ttl: body.ttl * 1000,
    timeout: body.timeout * 1000,
    retries: body.retries,
    oneWay: body.one_way,
    by: nameOf(caller),
  }
}

export function nameOf(caller: Caller | null): string | undefined {
  switch (caller?.kind) {
    case 'user':
      return `user:${caller.user.id}`
    case 'key':
      return `key:${caller.key.id}`
    default:
      return caller?.kind
  }
}

export function shown({ command: one, facts, outcome }: CommandView): z.input<typeof command> {
  const { running } = facts
  return {
    id: one.id,
    device: one.device,
    batch: one.batch ?? null,
    name: one.name,
    params: one.params === undefined ? null : JSON.parse(one.params),
    state: outcome.state,
    ttl: (one.expiresAt - one.createdAt) / 1000,
    timeout: one.timeout / 1000,
    retries: one.retries,
    one_way: one.oneWay,
    attempt: facts.attempt,
    created_at: new Date(one.createdAt).toISOString(),
    created_by: one.createdBy ?? null,
    expires_at: new Date(one.expiresAt).toISOString(),
    sent_at: timeOf(facts.sentAt),
    delivered_at: timeOf(facts.deliveredAt),
    progress:
      running === undefined
        ? null
        : {
            at: new Date(running.at).toISOString(),
            percent: running.progress ?? null,
            message: running.message ?? null,
          },
    ended_at: timeOf(outcome.endedAt),
  }
}

function shownPage({
  items,
  next,
}: Awaited<ReturnType<ApiDeps['platform']['commands']['listing']['ofDevice']>>): {
  items: z.input<typeof command>[]
  next: string | null
} {
  return { items: items.map(shown), next: next && encodeCursor([next.createdAt, next.id]) }
}

/** What came from a device is shown as what it is; nothing that it sends makes the answer unreadable. */
function shownResult(
  body: Uint8Array | undefined,
): Pick<z.input<typeof withResult>, 'result' | 'result_encoding'> {
  if (body === undefined) return { result: null, result_encoding: null }
  const value = jsonOf(body, commandLimits.depth)
  if (value !== undefined) return { result: value, result_encoding: 'json' }
  const text = textOf(body)
  if (text !== undefined) return { result: text, result_encoding: 'text' }
  return { result: Buffer.from(body).toString('base64'), result_encoding: 'base64' }
}

function timeOf(at: number | undefined): string | null {
  return at === undefined ? null : new Date(at).toISOString()
}

function placeOf(cursor: string | undefined): { createdAt: number; id: string } | undefined {
  if (cursor === undefined) return undefined
  const [createdAt, after] = decodeCursor(cursor, place)
  return { createdAt, id: after }
}

/** Which devices' commands the caller may see; undefined: all of the organisation's. */
function visible(
  { platform }: ApiDeps,
  caller: Caller | null,
  org: string,
): ((device: string) => Promise<boolean>) | undefined {
  if (caller === null || groupsOf(caller) === null) return undefined
  return async (id) => {
    const device = await platform.registry.devices.findById(org, id)
    return device !== undefined && mayTouchDevice(caller, device)
  }
}

/** Aborted when nobody waits for the answer any more, or the process stops. */
function untilGone(request: Request, { stopping }: ApiDeps): AbortSignal {
  const gone = new AbortController()
  request.res?.on('close', () => gone.abort())
  return stopping === undefined ? gone.signal : AbortSignal.any([gone.signal, stopping])
}
