import { z } from 'zod'
import type { ApiDeps, ClientDetails, Clients } from '../deps.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'
import { organisationOf, organisationQuery } from '../scope.ts'

const client = z
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
    subscription_count: z.int(),
    subscriptions: z.array(z.object({ filter: z.string(), qos: z.int() })).describe('the first 100 of them'),
  })
  .meta({ id: 'Client' })
const params = z.strictObject({ client: z.string().min(1).max(4096).describe('client identifier') })
const query = z.strictObject(organisationQuery)
const problems = ['organisation_not_found', 'client_not_found', 'incomplete', 'overloaded'] as const
const tag = 'clients'

export const clients: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/clients/{client}',
    access: 'viewer',
    summary: 'Who holds an MQTT client, in any process, and how it is doing',
    tag,
    params,
    query,
    status: 200,
    answer: client,
    problems,
    handle: async ({ deps, caller, params: { client: id }, query: { organisation } }) => {
      const { id: org } = await organisationOf(deps, caller, organisation)
      const found = await asked(() => clientsOf(deps).find(org, id))
      if (found.client === null) throw notFound(id, 'connected, or a session of it', found.complete)
      return shown(id, org, found.client)
    },
  }),
  route({
    method: 'delete',
    path: '/v1/clients/{client}',
    access: 'operator',
    summary: 'Disconnect an MQTT client wherever it is; it may come back, its session stays',
    tag,
    params,
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
]

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

function shown(id: string, organisation: string, one: ClientDetails): z.input<typeof client> {
  const { version, keepAlive, sessionExpiry, subscriptionCount, since, ...rest } = one
  return {
    ...rest,
    id,
    organisation,
    since: new Date(since).toISOString(),
    mqtt: version === null ? null : version === 5 ? '5.0' : '3.1.1',
    keep_alive: keepAlive,
    session_expiry: sessionExpiry,
    subscription_count: subscriptionCount,
  }
}
