import { z } from 'zod'
import { importedKey } from '#platform/auth/keys.ts'
import type { Node } from '#platform/registry/nodes.ts'
import { shortId } from '#platform/registry/organisations.ts'
import { pageOf } from '../paging.ts'
import { route, type Route } from '../route.ts'
import { deviceOf, deviceParams, organisationQuery } from '../scope.ts'

const node = z
  .object({
    id: z.string().describe('first part of the keys of its values, `{id}/{field}`'),
    name: z.string(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Node' })
const withKey = node.extend({ key: z.string().describe('for /measurement/create; shown this once') })
const query = z.strictObject(organisationQuery)
const tag = 'nodes'

/** Only IoT Guru's HTTP calls need nodes: `pub/{user}/{device}/{node}/{field}` over MQTT takes any node id. */
export const nodes: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/devices/{device}/nodes',
    access: 'developer',
    summary: 'Create an IoT Guru node; its key is shown this once',
    tag,
    params: deviceParams,
    query,
    body: z.strictObject({
      id: z
        .string()
        .regex(shortId, 'must be 1 to 64 of A-Z, a-z, 0-9, _ and -')
        .optional()
        .describe('short id of a node that moves here'),
      name: z.string().min(1).max(200).optional(),
      key: z
        .string()
        .regex(importedKey, 'must be 22 to 128 of A-Z, a-z, 0-9, _ and -')
        .optional()
        .describe('its node key'),
    }),
    status: 201,
    answer: withKey,
    problems: ['organisation_not_found', 'device_not_found', 'node_exists', 'key_taken', 'limit_reached'],
    handle: async ({ deps, caller, params, query: { organisation }, body }) => {
      const device = await deviceOf(deps, caller, params.device, organisation)
      const created = await deps.platform.registry.nodes.create(device, body)
      return { ...shown(created.node), key: created.key }
    },
  }),
  route({
    method: 'get',
    path: '/v1/devices/{device}/nodes',
    access: 'viewer',
    summary: 'List the nodes of a device, all at once',
    tag,
    params: deviceParams,
    query,
    status: 200,
    answer: pageOf(node),
    problems: ['organisation_not_found', 'device_not_found'],
    handle: async ({ deps, caller, params, query: { organisation } }) => {
      const device = await deviceOf(deps, caller, params.device, organisation)
      return { items: (await deps.platform.registry.nodes.list(device)).map(shown), next: null }
    },
  }),
  route({
    method: 'delete',
    path: '/v1/devices/{device}/nodes/{node}',
    access: 'developer',
    summary: 'Delete a node; its key stops working, its values stay',
    tag,
    params: deviceParams.extend({ node: z.string().min(1).max(64) }),
    query,
    status: 204,
    problems: ['organisation_not_found', 'device_not_found', 'node_not_found'],
    handle: async ({ deps, caller, params, query: { organisation } }) => {
      const device = await deviceOf(deps, caller, params.device, organisation)
      await deps.platform.registry.nodes.delete(device, params.node)
      return undefined
    },
  }),
]

function shown(one: Node): z.input<typeof node> {
  return { id: one.id, name: one.name, created_at: new Date(one.createdAt).toISOString() }
}
