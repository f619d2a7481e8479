import { z } from 'zod'
import { commandId, commandLimits } from '#platform/commands/command.ts'
import { jsonOf, textOf } from '#platform/json.ts'
import { groupsOf, mayTouchDevice } from '../access.ts'
import type { Caller } from '../callers.ts'
import type { ApiDeps } from '../deps.ts'
import { gateLoad, inTime } from '../durable.ts'
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../paging.ts'
import { route, type Route } from '../route.ts'
import { deviceOf, deviceParams, organisationOf, organisationQuery } from '../scope.ts'
import { command, inputOf, requestFields, shown, states, untilGone, waitQuery } from './command-shape.ts'

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
      gateLoad(deps, ref.org)
      const asked = { ...inputOf(body, caller), id: body.id ?? repeatableId ?? undefined }
      const made = await inTime(deps, deps.platform.commands.create(ref, asked))
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
      wait: waitQuery,
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
      gateLoad(deps, ref.org)
      return shown(await inTime(deps, deps.platform.commands.cancel(ref, one)))
    },
  }),
]

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
  return async (named) => {
    const device = await platform.registry.devices.findById(org, named)
    return device !== undefined && mayTouchDevice(caller, device)
  }
}
