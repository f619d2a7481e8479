import { z } from 'zod'
import { groupId } from '#platform/registry/groups.ts'
import { maxCodes } from '#platform/registry/claims.ts'
import {
  type ProvisioningKey,
  maxProvisioningKeys,
  provisionRequest,
} from '#platform/registry/provisioning.ts'
import { mayTouchDevice } from '../access.ts'
import { pageOf } from '../paging.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'
import { organisationOf, organisationQuery } from '../scope.ts'
import { device, gateGroupsKept, name, properties, shownDevice } from './device-shape.ts'

const template = {
  groups: z.array(z.string().regex(groupId)).max(16).optional().describe('groups that its devices come into'),
  labels: properties.labels,
  profile: z.string().min(1).max(64).optional(),
}
const provisioningKey = z
  .object({
    id: z.string(),
    label: z.string(),
    max_uses: z.int(),
    uses: z.int(),
    expires_at: z.iso.datetime().nullable(),
    groups: z.array(z.string()),
    labels: z.record(z.string(), z.string()),
    profile: z.string().nullable(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'ProvisioningKey' })
const query = z.strictObject(organisationQuery)
const time = z.iso.datetime({ offset: true })
const tag = 'provisioning'

export const provisioning: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/provisioning-keys',
    access: 'developer',
    summary: 'Create a key by which devices get a key of their own; it is shown this once',
    tag,
    query,
    body: z.strictObject({
      label: z.string().max(64).default(''),
      max_uses: z.int().min(1).max(1_000_000).describe('devices that it may make'),
      expires_at: time.optional(),
      ...template,
    }),
    status: 201,
    answer: provisioningKey.extend({ key: z.string() }),
    problems: ['organisation_not_found', 'group_not_found', 'limit_reached', 'outcome_unknown'],
    handle: async ({ deps, caller, query: { organisation }, body, response }) => {
      const owner = await organisationOf(deps, caller, organisation)
      const { label, max_uses: maxUses, expires_at: end, groups, labels, profile } = body
      const { made, key } = await deps.platform.provisioning.createKey(owner.id, {
        label,
        maxUses,
        expiresAt: end === undefined ? null : Date.parse(end),
        template: { groups, labels, profile },
      })
      response.location(`/v1/provisioning-keys/${made.id}`)
      return { ...shown(made), key }
    },
  }),
  route({
    method: 'get',
    path: '/v1/provisioning-keys',
    access: 'developer',
    summary: `List provisioning keys, without what they are; there are at most ${maxProvisioningKeys}`,
    tag,
    query,
    status: 200,
    answer: pageOf(provisioningKey),
    problems: ['organisation_not_found'],
    handle: async ({ deps, caller, query: { organisation } }) => {
      const owner = await organisationOf(deps, caller, organisation)
      return { items: (await deps.platform.provisioning.listKeys(owner.id)).map(shown), next: null }
    },
  }),
  route({
    method: 'delete',
    path: '/v1/provisioning-keys/{key}',
    access: 'developer',
    summary: 'Delete a provisioning key; devices that it has made stay',
    tag,
    params: z.strictObject({ key: z.string().min(1).max(64) }),
    query,
    status: 204,
    problems: ['organisation_not_found', 'provisioning_key_not_found'],
    handle: async ({ deps, caller, params: { key }, query: { organisation } }) => {
      const owner = await organisationOf(deps, caller, organisation)
      await deps.platform.provisioning.deleteKey(owner.id, key)
      return undefined
    },
  }),
  route({
    method: 'post',
    path: '/v1/provision',
    access: 'public',
    summary:
      'A device gets its key: `Authorization: Device p_...`, with a provisioning key or the key that belongs to a claim code',
    tag,
    body: provisionRequest,
    status: 200,
    answer: z.object({
      status: z
        .enum(['provisioned', 'pending'])
        .describe('`pending`: nobody has claimed its code yet; ask again'),
      organisation: z.string().optional(),
      id: z.string().optional(),
      name: z.string().optional(),
      key: z.string().optional().describe('shown this once'),
    }),
    problems: [
      'unauthenticated',
      'provisioning_refused',
      'already_provisioned',
      'claim_not_found',
      'name_taken',
      'invalid_field',
      'conflict',
      'outcome_unknown',
    ],
    handle: async ({ deps, body, request }) => {
      const key = /^(?:bearer|device) +(p_[\x21-\x7e]{1,254}) *$/i.exec(
        request.headers.authorization ?? '',
      )?.[1]
      const by = key === undefined ? undefined : await deps.platform.provisioning.find(key)
      if (by === undefined)
        throw new Problem('unauthenticated', 'send "Authorization: Device {provisioning key}"')
      const done = await deps.platform.provisioning.provision(by, body)
      if (done === null) return { status: 'pending' as const }
      const { org, id, name: called } = done.device
      return { status: 'provisioned' as const, organisation: org, id, name: called, key: done.key }
    },
  }),
  route({
    method: 'post',
    path: '/v1/claim-codes',
    access: 'developer',
    summary: 'Create claim codes to print, each with a key for its device; shown this once',
    tag,
    query,
    body: z.strictObject({
      count: z.int().min(1).max(maxCodes).default(1),
      expires_at: time.describe('until when they can be claimed'),
      labels: properties.labels,
      profile: template.profile,
    }),
    status: 201,
    answer: z.object({
      items: z.array(
        z.object({
          code: z.string().describe('for people: ABCD-EFGH-JKMN'),
          key: z.string().describe('for the device'),
          qr: z.string().describe('text for a QR code'),
        }),
      ),
    }),
    problems: ['organisation_not_found', 'invalid_field'],
    handle: async ({ deps, caller, query: { organisation }, body }) => {
      const owner = await organisationOf(deps, caller, organisation)
      const { count, expires_at: end, labels, profile } = body
      const options = { expiresAt: Date.parse(end), labels, profile }
      return { items: await deps.platform.claims.create(owner.id, count, options) }
    },
  }),
  route({
    method: 'post',
    path: '/v1/claims',
    access: 'developer',
    byGroup: true,
    summary: 'Claim a device by its code; it gets its key by itself',
    tag,
    query,
    body: z.strictObject({
      code: z.string().min(1).max(64).describe('as it is printed; small letters and no hyphens will do'),
      name: name.optional(),
      groups: template.groups,
    }),
    status: 201,
    answer: device,
    problems: [
      'organisation_not_found',
      'claim_not_found',
      'group_not_found',
      'name_taken',
      'invalid_field',
      'outcome_unknown',
    ],
    handle: async ({ deps, caller, query: { organisation }, body, response }) => {
      const owner = await organisationOf(deps, caller, organisation)
      await gateGroupsKept(deps, caller, owner.id, body.groups ?? [])
      const claimed = await deps.platform.claims.claim(owner.id, body.code, body)
      // It may have been claimed before, into other groups than were granted.
      if (caller === null || !mayTouchDevice(caller, claimed))
        throw new Problem('claim_not_found', 'no such code, or it was claimed or has expired')
      response.location(`/v1/devices/${claimed.id}`)
      return shownDevice(claimed)
    },
  }),
]

function shown(one: ProvisioningKey): z.input<typeof provisioningKey> {
  return {
    id: one.id,
    label: one.label,
    max_uses: one.maxUses,
    uses: one.uses,
    expires_at: one.expiresAt === null ? null : new Date(one.expiresAt).toISOString(),
    groups: [...(one.template.groups ?? [])],
    labels: { ...one.template.labels },
    profile: one.template.profile ?? null,
    created_at: new Date(one.createdAt).toISOString(),
  }
}
