import { z } from 'zod'
import { type Authority, authorityStates } from '#platform/registry/authorities.ts'
import { type DeviceCertificate, fingerprintPattern } from '#platform/registry/certificates.ts'
import { groupId } from '#platform/registry/groups.ts'
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../paging.ts'
import { route, type Route } from '../route.ts'
import { organisationOf, organisationQuery } from '../scope.ts'
import { properties } from './device-shape.ts'

const options = {
  register: z
    .boolean()
    .optional()
    .describe(
      'whether a certificate of a device that is not known makes it, by its first connection; default: yes',
    ),
  identity: z
    .enum(['cn', 'san'])
    .optional()
    .describe("which name is the device's name or id; default: the subject's CN"),
  shared: z
    .boolean()
    .optional()
    .describe(
      'whether one certificate may be many devices, which say by the user name who they are; default: no',
    ),
  groups: z.array(z.string().regex(groupId)).max(16).optional().describe('groups that its devices come into'),
  labels: properties.labels,
  profile: z.string().min(1).max(64).optional(),
}
const label = z.string().max(64)
const pem = z.string().min(1).max(16_384)

const authority = z
  .object({
    id: z.string(),
    label: z.string(),
    state: z.enum(authorityStates),
    nonce: z.string().nullable().describe('to be signed with the key of the authority; null: it was'),
    subject: z.string(),
    not_after: z.iso.datetime(),
    register: z.boolean(),
    identity: z.enum(['cn', 'san']),
    shared: z.boolean(),
    groups: z.array(z.string()),
    labels: z.record(z.string(), z.string()),
    profile: z.string().nullable(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'CertificateAuthority' })
const certificate = z
  .object({
    fingerprint: z.string().describe('SHA-256, hex'),
    device: z.string().nullable().describe('id; null: nobody has shown it, or it is of many'),
    authority: z.string().nullable(),
    subject: z.string(),
    serial: z.string(),
    not_before: z.iso.datetime().nullable(),
    not_after: z.iso.datetime().nullable(),
    first_seen: z.iso.datetime().nullable(),
    revoked_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'DeviceCertificate' })
const params = z.strictObject({ authority: z.string().min(1).max(64) })
const fingerprint = z
  .string()
  .transform((text) => text.replaceAll(':', '').toLowerCase())
  .pipe(z.string().regex(fingerprintPattern, 'must be a SHA-256 fingerprint, 64 hex digits'))
const certificateParams = z.strictObject({ fingerprint })
const query = z.strictObject(organisationQuery)
const place = z.strictObject({
  bucket: z.int().min(0).max(255),
  fingerprint: z.string().regex(fingerprintPattern),
})
const tag = 'certificates'

export const authorities: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/authorities',
    access: 'developer',
    summary: "Register a certificate authority; sign its nonce with the authority's key to make it active",
    tag,
    query,
    body: z.strictObject({ certificate: pem.describe('PEM'), label: label.default(''), ...options }),
    status: 201,
    answer: authority,
    problems: [
      'organisation_not_found',
      'invalid_certificate',
      'authority_exists',
      'group_not_found',
      'limit_reached',
      'outcome_unknown',
    ],
    handle: async ({ deps, caller, query: { organisation }, body, response }) => {
      const owner = await organisationOf(deps, caller, organisation)
      const {
        certificate: text,
        label: called,
        register = true,
        identity = 'cn',
        shared = false,
        ...rest
      } = body
      const made = await deps.platform.authorities.register(owner.id, {
        pem: text,
        label: called,
        options: { register, identity, shared, ...rest },
      })
      response.location(`/v1/authorities/${made.id}`)
      return shown(made)
    },
  }),
  route({
    method: 'post',
    path: '/v1/authorities/{authority}/proof',
    access: 'developer',
    summary: 'Show that you have the key of the authority; it is trusted at once',
    tag,
    params,
    query,
    body: z
      .strictObject({
        signature: z
          .string()
          .max(4096)
          .optional()
          .describe('the nonce signed, base64: `openssl dgst -sha256 -sign ca.key | base64 -w0`'),
        certificate: pem.optional().describe('or a certificate of the authority whose CN is the nonce'),
      })
      .refine(
        (proof) => (proof.signature === undefined) !== (proof.certificate === undefined),
        'needs one of signature and certificate',
      ),
    status: 200,
    answer: authority,
    problems: [
      'organisation_not_found',
      'authority_not_found',
      'invalid_certificate',
      'authority_exists',
      'conflict',
      'outcome_unknown',
    ],
    handle: async ({ deps, caller, params: { authority: id }, query: { organisation }, body }) => {
      const owner = await organisationOf(deps, caller, organisation)
      return shown(await deps.platform.authorities.activate(owner.id, id, body))
    },
  }),
  route({
    method: 'get',
    path: '/v1/authorities',
    access: 'developer',
    summary: 'List certificate authorities; there are at most 16',
    tag,
    query,
    status: 200,
    answer: pageOf(authority),
    problems: ['organisation_not_found'],
    handle: async ({ deps, caller, query: { organisation } }) => {
      const owner = await organisationOf(deps, caller, organisation)
      return { items: (await deps.platform.authorities.list(owner.id)).map(shown), next: null }
    },
  }),
  route({
    method: 'patch',
    path: '/v1/authorities/{authority}',
    access: 'developer',
    summary: 'Change how its devices are registered, or disable it; holds for connections from then on',
    tag,
    params,
    query,
    body: z.strictObject({ label: label.optional(), enabled: z.boolean().optional(), ...options }),
    status: 200,
    answer: authority,
    problems: [
      'organisation_not_found',
      'authority_not_found',
      'group_not_found',
      'conflict',
      'outcome_unknown',
    ],
    handle: async ({ deps, caller, params: { authority: id }, query: { organisation }, body }) => {
      const owner = await organisationOf(deps, caller, organisation)
      const { label: called, enabled, ...rest } = body
      return shown(
        await deps.platform.authorities.update(owner.id, id, { label: called, enabled, options: rest }),
      )
    },
  }),
  route({
    method: 'delete',
    path: '/v1/authorities/{authority}',
    access: 'developer',
    summary: 'Delete an authority; its certificates are refused from the next connection on',
    tag,
    params,
    query,
    status: 204,
    problems: ['organisation_not_found', 'authority_not_found'],
    handle: async ({ deps, caller, params: { authority: id }, query: { organisation } }) => {
      const owner = await organisationOf(deps, caller, organisation)
      await deps.platform.authorities.delete(owner.id, id)
      return undefined
    },
  }),
  route({
    method: 'post',
    path: '/v1/authorities/{authority}/revocations',
    access: 'developer',
    summary: 'Revoke a certificate by its serial number; connections made with it are closed',
    tag,
    params,
    query,
    body: z.strictObject({
      serial: z
        .string()
        .transform((text) => text.replaceAll(':', '').toUpperCase())
        .pipe(z.string().regex(/^[0-9A-F]{1,40}$/, 'must be 1 to 40 hex digits')),
    }),
    status: 204,
    problems: ['organisation_not_found', 'authority_not_found'],
    handle: async ({ deps, caller, params: { authority: id }, query: { organisation }, body }) => {
      const owner = await organisationOf(deps, caller, organisation)
      await deps.platform.certificates.revokeSerial(owner.id, id, body.serial)
      return undefined
    },
  }),
  route({
    method: 'get',
    path: '/v1/certificates',
    access: 'developer',
    summary: 'List certificates that devices have shown or that were revoked, in no particular order',
    tag,
    query: z.strictObject({
      ...pageQuery,
      ...organisationQuery,
      device: z.string().min(1).max(64).optional().describe('id'),
      authority: z.string().min(1).max(64).optional(),
      expires_before: z.iso.datetime({ offset: true }).optional(),
      revoked: z.enum(['true', 'false']).optional(),
    }),
    status: 200,
    fields: true,
    answer: pageOf(certificate),
    problems: ['organisation_not_found'],
    handle: async ({ deps, caller, query: { organisation, limit, cursor, revoked, ...filter } }) => {
      const owner = await organisationOf(deps, caller, organisation)
      const after = cursor === undefined ? undefined : decodeCursor(cursor, place)
      const { device, authority: of, expires_before: end } = filter
      const page = await deps.platform.certificates.list(
        owner.id,
        {
          device,
          authority: of,
          expiresBefore: end === undefined ? undefined : Date.parse(end),
          revoked: revoked === undefined ? undefined : revoked === 'true',
        },
        { limit, after },
      )
      return {
        items: page.certificates.map(shownCertificate),
        next: page.next === null ? null : encodeCursor(page.next),
      }
    },
  }),
  route({
    method: 'post',
    path: '/v1/certificates/{fingerprint}/revoke',
    access: 'developer',
    summary: 'Revoke a certificate, also one that nobody has shown; connections made with it are closed',
    tag,
    params: certificateParams,
    query,
    status: 204,
    problems: ['organisation_not_found'],
    handle: async ({ deps, caller, params: { fingerprint: which }, query: { organisation } }) => {
      const owner = await organisationOf(deps, caller, organisation)
      await deps.platform.certificates.revoke(owner.id, which)
      return undefined
    },
  }),
  route({
    method: 'delete',
    path: '/v1/certificates/{fingerprint}',
    access: 'developer',
    summary: 'Forget whose a certificate is: when it is shown again, its name counts; not for revoked ones',
    tag,
    params: certificateParams,
    query,
    status: 204,
    problems: ['organisation_not_found', 'certificate_not_found'],
    handle: async ({ deps, caller, params: { fingerprint: which }, query: { organisation } }) => {
      const owner = await organisationOf(deps, caller, organisation)
      await deps.platform.certificates.forget(owner.id, which)
      return undefined
    },
  }),
]

function shown(one: Authority): z.input<typeof authority> {
  const { register, identity, shared, groups = [], labels = {}, profile = null } = one.options
  return {
    id: one.id,
    label: one.label,
    state: one.state,
    nonce: one.state === 'pending' ? one.nonce : null,
    subject: one.certificate.subject,
    not_after: one.certificate.validToDate.toISOString(),
    register,
    identity,
    shared,
    groups,
    labels,
    profile,
    created_at: new Date(one.createdAt).toISOString(),
  }
}

function shownCertificate(one: DeviceCertificate): z.input<typeof certificate> {
  const { fingerprint: which, device, authority: of, subject, serial } = one
  return {
    fingerprint: which,
    device,
    authority: of,
    subject,
    serial,
    not_before: timeOf(one.notBefore),
    not_after: timeOf(one.notAfter),
    first_seen: timeOf(one.firstSeen),
    revoked_at: timeOf(one.revokedAt),
  }
}

function timeOf(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString()
}
