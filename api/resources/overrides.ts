import { createHash } from 'node:crypto'
import { z } from 'zod'
import { overrideActions, type StoredOverride } from '#platform/overrides/overrides.ts'
import { actorOf } from '../actor.ts'
import { pageOf } from '../paging.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'

const percent = z.int().min(0).max(100)
const read = z
  .object({
    subject: z.string().describe('name of a datacenter or host'),
    action: z
      .enum(overrideActions)
      .describe(
        '`out`: not in DNS; `in`: in DNS whatever checkers say; `weight`: `percent` of its own share',
      ),
    percent: percent.nullable().describe('of new connections; null: not `weight`'),
    reason: z.string().describe('anybody may see it on the status page'),
    at: z.iso.datetime(),
    expires_at: z.iso.datetime().nullable().describe('null: holds until it is deleted'),
  })
  .meta({
    id: 'CheckerOverride',
    description: "a person's word about a datacenter or host, without his name",
  })
const override = read
  .extend({
    owner: z.string().describe('who said so'),
    version: z.int().describe('also the ETag'),
  })
  .meta({ id: 'Override', description: "a person's word about a datacenter or host; it wins over checkers" })
const params = z.strictObject({
  subject: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/, 'must be the name of a datacenter or host: 1 to 32 of a-z, 0-9 and -'),
})
const maxReason = 200
const tag = 'overrides'

/** What checkers do with them: docs/votes.md. */
export const overrides: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/overrides',
    access: 'platform',
    summary: 'List what people said about datacenters and hosts that is in force, all at once',
    tag,
    status: 200,
    answer: pageOf(override),
    handle: async ({ deps }) => ({ items: (await deps.platform.overrides.list()).map(shown), next: null }),
  }),
  route({
    method: 'get',
    path: '/v1/checkers/overrides',
    access: 'viewer',
    operationId: 'listCheckerOverrides',
    summary: 'What checkers read: the overrides that are in force, without who made them',
    tag,
    versioned: 'optional',
    status: 200,
    answer: pageOf(read),
    handle: async ({ deps, version }) => {
      const items = (await deps.platform.overrides.list()).map(readable)
      version(createHash('sha256').update(JSON.stringify(items)).digest('base64url').slice(0, 22))
      return { items, next: null }
    },
  }),
  route({
    method: 'get',
    path: '/v1/overrides/{subject}',
    access: 'platform',
    summary: "Read a person's word about a datacenter or host",
    tag,
    params,
    versioned: 'optional',
    status: 200,
    answer: override,
    problems: ['override_not_found'],
    handle: async ({ deps, params: { subject }, version }) => {
      const found = await deps.platform.overrides.find(subject)
      if (found === undefined)
        throw new Problem('override_not_found', `nobody's word about "${subject}" is in force`)
      version(found.version)
      return shown(found)
    },
  }),
  route({
    method: 'put',
    path: '/v1/overrides/{subject}',
    access: 'platform',
    summary: 'Take a datacenter or host out of DNS, keep it in, or weight it; holds within half a minute',
    tag,
    params,
    versioned: 'optional',
    body: z
      .strictObject({
        action: z.enum(overrideActions),
        percent: percent.optional().describe('with `weight`: 0 to 100 percent of its own share'),
        reason: z.string().trim().min(1).max(maxReason).describe('anybody may see it on the status page'),
        expires_at: z.iso
          .datetime({ offset: true })
          .optional()
          .describe('default: it holds until it is deleted'),
      })
      .refine(({ action, percent: given }) => (action === 'weight') === (given !== undefined), {
        message: 'needed with action weight, and only there',
        path: ['percent'],
      }),
    status: 200,
    answer: override,
    problems: ['invalid_field', 'limit_reached'],
    handle: async ({ deps, caller, params: { subject }, body, precondition, version, audit }) => {
      gateKnown(deps.subjects?.(), subject)
      const { action, percent: share, reason, expires_at: end } = body
      const expiresAt = end === undefined ? undefined : Date.parse(end)
      if (expiresAt !== undefined && expiresAt <= deps.clock.now())
        throw invalid('body.expires_at', 'must be in the future')
      const service = deps.platform.overrides
      const before = await service.find(subject)
      if (before !== undefined) audit({ before: shown(before) })
      const word = { action, percent: share, owner: actorOf(caller), reason, expiresAt }
      const stored = await service.put(subject, word, (current) => precondition.check(current))
      version(stored.version)
      return shown(stored)
    },
  }),
  route({
    method: 'delete',
    path: '/v1/overrides/{subject}',
    access: 'platform',
    summary: 'Take the word back: checkers decide again',
    tag,
    params,
    versioned: 'optional',
    status: 204,
    problems: ['override_not_found'],
    handle: async ({ deps, params: { subject }, precondition, audit }) => {
      const before = await deps.platform.overrides.delete(subject, (current) => precondition.check(current))
      audit({ before: shown(before) })
      return undefined
    },
  }),
]

/** Where the process knows the inventory; names that are in none would be waited for in vain. */
function gateKnown(known: readonly string[] | undefined, subject: string): void {
  if (known === undefined || known.includes(subject)) return
  throw invalid('path.subject', `there is no datacenter or host "${subject}"; there are ${known.join(', ')}`)
}

function invalid(field: string, message: string): Problem {
  return new Problem('invalid_field', `${field}: ${message}`, { errors: [{ field, message }] })
}

function shown(one: StoredOverride): z.input<typeof override> {
  return { ...readable(one), owner: one.owner, version: one.version }
}

function readable({
  subject,
  action,
  percent: share,
  reason,
  at,
  expiresAt,
}: StoredOverride): z.input<typeof read> {
  return {
    subject,
    action,
    percent: share ?? null,
    reason,
    at: new Date(at).toISOString(),
    expires_at: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
  }
}
