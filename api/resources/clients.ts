import type { Request, Response } from 'express'
import { z } from 'zod'
import type { Caller } from '../callers.ts'
import type { ApiDeps, ClientDetails, Clients } from '../deps.ts'
import { openEventStream } from '../event-stream.ts'
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../paging.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'
import { deviceOf, deviceParams, organisationOf, organisationQuery } from '../scope.ts'

const listedClient = z
  .object({
    id: z.string().describe('MQTT client identifier'),
    organisation: z.string(),
    connected: z.boolean(),
    process: z
      .string()
      .nullable()
      .describe('that holds the connection; null: not known, or there is one only'),
    dc: z.string().nullable().describe('datacenter of that process'),
    since: z.iso.datetime().describe('when it connected; if it is not connected: when that ended'),
    address: z.string().nullable(),
    mqtt: z.enum(['3.1.1', '5.0']).nullable(),
    username: z.string(),
    device: z.string().nullable().describe('id of the device that it is'),
    keep_alive: z.number().nullable().describe('seconds; 0: none'),
    session_expiry: z.number().describe('seconds that the session outlives its connection'),
    queued: z.int().nullable().describe('messages that wait; null: nobody holds the session'),
    inflight: z.int().nullable().describe('messages sent and not acknowledged'),
    dropped: z
      .record(z.string(), z.int())
      .nullable()
      .describe('messages to it that were dropped, by reason, since its process has the session'),
    subscription_count: z.int(),
  })
  .meta({ id: 'ListedClient' })
const client = listedClient
  .extend({
    subscriptions: z
      .array(z.object({ filter: z.string(), qos: z.int() }))
      .describe('the first 100 of them; all: `/v1/clients/{client}/subscriptions`'),
  })
  .meta({ id: 'Client' })
const clientParams = z.strictObject({ client: z.string().min(1).max(4096).describe('client identifier') })
const query = z.strictObject(organisationQuery)
const problems = ['organisation_not_found', 'client_not_found', 'incomplete', 'overloaded'] as const
const tag = 'clients'
const text = z.string().min(1).max(256).optional()
const count = z.coerce.number('must be a whole number').int().min(1).optional()
const place = z.string().max(65_535)
/** All processes answer with so many. */
const maxListed = 200

export const clients: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/clients',
    access: 'viewer',
    summary: 'MQTT clients of all processes, connected or with a session, in order of their ids',
    tag,
    query: z.strictObject({
      ...organisationQuery,
      cursor: pageQuery.cursor,
      limit: z.coerce.number('must be a whole number').int().min(1).max(maxListed).default(100),
      connected: z
        .enum(['true', 'false'])
        .transform((flag) => flag === 'true')
        .optional(),
      device: text.describe('id of their device'),
      username: text,
      prefix: text.describe('only ids that begin with this'),
      dc: text,
      process: text,
      min_queued: count.describe('only those for which so many messages wait at least'),
      min_dropped: count.describe('only those to which so many messages were dropped at least'),
    }),
    status: 200,
    answer: pageOf(listedClient).extend({
      complete: z.boolean().describe('false: a process did not answer in time; its clients may be missing'),
    }),
    problems: ['organisation_not_found', 'overloaded'],
    handle: async ({ deps, caller, query: { organisation, cursor, limit, ...rest } }) => {
      const { id: org } = await organisationOf(deps, caller, organisation)
      const { min_queued: minQueued, min_dropped: minDropped, ...filter } = rest
      const after = cursor === undefined ? null : decodeCursor(cursor, place)
      const page = await asked(() =>
        clientsOf(deps).list({ org, after, limit, filter: { ...filter, minQueued, minDropped } }),
      )
      const last = page.clients.at(-1)
      return {
        items: page.clients.map(({ id, view }) => shown(id, org, view)),
        next: page.more && last !== undefined ? encodeCursor(last.id) : null,
        complete: page.complete,
      }
    },
  }),
  route({
    method: 'get',
    path: '/v1/clients/{client}',
    access: 'viewer',
    summary: 'Who holds an MQTT client, in any process, and how it is doing',
    tag,
    params: clientParams,
    query,
    status: 200,
    answer: client,
    problems,
    handle: async ({ deps, caller, params: { client: id }, query: { organisation } }) => {
      const { id: org } = await organisationOf(deps, caller, organisation)
      const found = await asked(() => clientsOf(deps).find(org, id))
      if (found.client === null) throw notFound(id, 'connected, or a session of it', found.complete)
      return { ...shown(id, org, found.client), subscriptions: found.client.subscriptions }
    },
  }),
  route({
    method: 'get',
    path: '/v1/clients/{client}/subscriptions',
    access: 'viewer',
    summary: 'Subscriptions of an MQTT client, in order of their filters',
    tag,
    params: clientParams,
    query: z.strictObject({ ...pageQuery, ...organisationQuery }),
    status: 200,
    answer: pageOf(z.object({ filter: z.string(), qos: z.int(), no_local: z.boolean() })).extend({
      count: z.int().describe('of all'),
    }),
    problems,
    handle: async ({ deps, caller, params: { client: id }, query: { organisation, limit, cursor } }) => {
      const { id: org } = await organisationOf(deps, caller, organisation)
      const after = cursor === undefined ? null : decodeCursor(cursor, place)
      const { found, complete } = await asked(() =>
        clientsOf(deps).subscriptions({ org, client: id, after, limit }),
      )
      if (found === null) throw notFound(id, 'connected, or a session of it', complete)
      const { subscriptions } = found
      const last = subscriptions.at(-1)
      const next = subscriptions.length === limit && last !== undefined ? encodeCursor(last.filter) : null
      return { items: [...subscriptions], next, count: found.count }
    },
  }),
  route({
    method: 'delete',
    path: '/v1/clients/{client}',
    access: 'operator',
    summary: 'Disconnect an MQTT client wherever it is; it may come back, its session stays',
    tag,
    params: clientParams,
    query,
    status: 204,
    problems,
    handle: async ({ deps, caller, params: { client: id }, query: { organisation } }) => {
      const { id: org } = await organisationOf(deps, caller, organisation)
      const { kicked, complete } = await asked(() => clientsOf(deps).kick(org, id))
      if (!kicked) throw notFound(id, 'connected', complete)
      return undefined
    },
  }),
  route({
    method: 'get',
    path: '/v1/clients/{client}/trace',
    access: 'operator',
    summary:
      'Server-sent events of what an MQTT client sends and receives, wherever it is and connects next, while the stream is open',
    tag,
    params: clientParams,
    query,
    status: 200,
    stream: 'text/event-stream',
    problems: ['organisation_not_found', 'overloaded'],
    handle: async ({ deps, caller, params: { client: id }, query: { organisation }, request, response }) => {
      const { id: org } = await organisationOf(deps, caller, organisation)
      await trace(deps, { org, client: id, device: null }, { caller, request, response })
      return undefined
    },
  }),
  route({
    method: 'get',
    path: '/v1/devices/{device}/trace',
    access: 'operator',
    summary: "Server-sent events of what a device's MQTT clients send and receive, while the stream is open",
    tag,
    params: deviceParams,
    query,
    status: 200,
    stream: 'text/event-stream',
    problems: ['organisation_not_found', 'device_not_found', 'overloaded'],
    handle: async ({ deps, caller, params, query: { organisation }, request, response }) => {
      const { org, id } = await deviceOf(deps, caller, params.device, organisation)
      await trace(deps, { org, client: null, device: id }, { caller, request, response })
      return undefined
    },
  }),
]

/** Lines that wait for a reader; what comes beyond is missed, and it is told how many. */
const maxWaiting = 1000

/** Streams a trace; it ends with the stream. */
async function trace(
  deps: ApiDeps,
  who: { org: string; client: string | null; device: string | null },
  { caller, request, response }: { caller: Caller | null; request: Request; response: Response },
): Promise<void> {
  const waiting: string[] = []
  let missed = 0
  let more: () => void = () => undefined
  const stop = await asked(async () =>
    clientsOf(deps).trace(who, (news) => {
      missed += news.missed
      if (news.line !== null && waiting.length >= maxWaiting) missed++
      else if (news.line !== null) {
        const { at, ...line } = news.line
        waiting.push(
          `event: packet\ndata: ${JSON.stringify({ at: new Date(at).toISOString(), ...line })}\n\n`,
        )
      }
      more()
    }),
  )
  response.on('close', stop)
  if (response.closed) {
    stop()
    return
  }
  const stream = openEventStream(deps, { caller, request, response })
  stream.pump(() => {
    const next = waiting.shift()
    if (next === undefined && missed > 0) {
      const events = missed
      missed = 0
      return `event: missed\ndata: {"events":${events}}\n\n`
    }
    return next
  })
  ;({ more } = stream)
}

function clientsOf({ clients: some }: ApiDeps): Clients {
  if (some === undefined) throw new Problem('not_found', 'this process has no broker to ask')
  return some
}

async function asked<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new Problem('overloaded', error.message, { retryAfter: 1, cause: error })
  }
}

function notFound(id: string, what: string, complete: boolean): Problem {
  return complete
    ? new Problem('client_not_found', `no process in contact has client "${id}" ${what}`)
    : new Problem('incomplete', `a process did not say in time whether it has client "${id}"; try again`, {
        retryAfter: 5,
      })
}

function shown(id: string, organisation: string, one: ClientDetails): z.input<typeof listedClient> {
  const { version, keepAlive, sessionExpiry, subscriptionCount, since, drops, ...rest } = one
  return {
    ...rest,
    id,
    organisation,
    since: new Date(since).toISOString(),
    mqtt: version === null ? null : version === 5 ? '5.0' : '3.1.1',
    keep_alive: keepAlive,
    session_expiry: sessionExpiry,
    dropped: drops === null ? null : { ...drops },
    subscription_count: subscriptionCount,
  }
}
