import { hash as sha, randomBytes, verify, X509Certificate } from 'node:crypto'
import { z } from 'zod'
import type { Clock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { distrust, parseChain, unfitAuthority } from '../pki/chain.ts'
import { Batch, type Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import { insert, putIf, remove } from './conditional.ts'
import type { Groups } from './groups.ts'
import { authority, authorityByKey, authorityByName } from './tables.ts'

/** How devices with certificates of an authority become known. */
const authorityOptions = z.object({
  /** A certificate of a device that is not known makes it. */
  register: z.boolean().default(true),
  /** Which name of the certificate is the device's name or id: the subject's CN, or a DNS or URI SAN. */
  identity: z.enum(['cn', 'san']).default('cn'),
  /** One certificate may be many devices', which say by the user name who they are. */
  shared: z.boolean().default(false),
  groups: z.array(z.string()).optional(),
  labels: z.record(z.string(), z.string()).optional(),
  profile: z.string().optional(),
})
export type AuthorityOptions = z.output<typeof authorityOptions>
type OptionChange = { readonly [K in keyof AuthorityOptions]?: AuthorityOptions[K] | undefined }

export const authorityStates = ['pending', 'active', 'disabled'] as const

/** A certificate authority of an organisation. */
export interface Authority {
  readonly org: string
  readonly id: string
  readonly label: string
  readonly state: (typeof authorityStates)[number]
  /** What its key must sign. */
  readonly nonce: string
  readonly pem: string
  readonly certificate: X509Certificate
  readonly options: AuthorityOptions
  readonly createdAt: number
  readonly version: number
}

/** Whose a verified certificate is. */
export interface Trusted {
  readonly org: string
  readonly authority: string
}

const maxAuthorities = 16
/** Authorities of one name that are looked at. */
const maxNamesakes = 1024
/** By then a change made by another process is seen. */
const maxAgeMs = 5000
const maxCached = 100_000

/**
 * The certificate authorities of organisations. One becomes active when somebody shows that he has its key, and then
 * is trusted at once by every listener that asks for certificates; a key is one organisation's only. Changes need a
 * majority of all datacenters, verifying the own one. Everything is durable when a promise resolves.
 */
export class Authorities {
  readonly #store: Store
  readonly #clock: Clock
  readonly #groups: Groups
  readonly #known = new Map<string, { authority: Authority | undefined; readAt: number }>()
  /** Which authority a certificate was found to be of, by its fingerprint. */
  readonly #verified = new Map<string, Trusted & { until: number }>()

  constructor(store: Store, clock: Clock, groups: Groups) {
    this.#store = store
    this.#clock = clock
    this.#groups = groups
  }

  /** PlatformError `invalid_certificate`, `authority_exists`, `group_not_found` or `limit_reached`. */
  async register(
    org: string,
    input: { pem: string; label: string; options: AuthorityOptions },
  ): Promise<Authority> {
    const certificate = parsed(input.pem)
    const wrong = await unfitAuthority(certificate, this.#clock.now())
    if (wrong !== null) throw new PlatformError('invalid_certificate', wrong, 'certificate')
    await this.#groups.check(org, input.options.groups ?? [])
    const existing = await this.list(org)
    if (existing.length >= maxAuthorities)
      throw new PlatformError('limit_reached', `there may be ${maxAuthorities} authorities`)
    const now = this.#clock.now()
    const row = {
      org,
      id: sha('sha256', certificate.raw, 'hex').slice(0, 32),
      pem: certificate.toString(),
      label: input.label,
      state: 'pending',
      nonce: randomBytes(24).toString('base64url'),
      options: JSON.stringify(input.options),
      created_at: now,
      version: now * 1024,
    }
    if (!(await insert(this.#store, authority, row, 'version'))) throw exists()
    return record(row)
  }

  /**
   * Makes it active: `signature` is its nonce signed by its key (ECDSA and RSA with SHA-256, or EdDSA), base64; or
   * `certificate` one that it has issued for the nonce as CN. PlatformError `authority_not_found`,
   * `invalid_certificate`, or `authority_exists`: the key is another organisation's.
   */
  async activate(
    org: string,
    id: string,
    proof: { signature?: string | undefined; certificate?: string | undefined },
  ): Promise<Authority> {
    const one = await this.get(org, id)
    if (one.state === 'active') return one
    if (!isProof(one, proof)) {
      throw new PlatformError(
        'invalid_certificate',
        'does not show that you have the key of the authority; sign its nonce with it',
        'signature',
      )
    }
    const key = keyOf(one.certificate)
    const now = this.#clock.now()
    const claim = { key, org, authority: id, claimed_at: now }
    if (!(await insert(this.#store, authorityByKey, claim, 'org'))) {
      const held = await this.#store.get(authorityByKey, { key })
      if (held?.org !== org) throw exists()
    }
    const batch = new Batch()
    batch.put(authorityByName, { name: nameHash(one.certificate.subject), org, id, claimed_at: now })
    await this.#store.write(batch)
    return this.#change(one, { state: 'active' })
  }

  /** By id, all of them. */
  async list(org: string): Promise<Authority[]> {
    const rows = await this.#store.range(authority, { org }, { limit: maxAuthorities })
    return rows.map(record)
  }

  /** PlatformError `authority_not_found`. */
  async get(org: string, id: string): Promise<Authority> {
    const row = await this.#store.get(authority, { org, id })
    if (row === undefined) throw new PlatformError('authority_not_found', `no certificate authority "${id}"`)
    return record(row)
  }

  /** `enabled`: an active one may be disabled, and come back. Holds for connections made from now on. */
  async update(
    org: string,
    id: string,
    change: {
      label?: string | undefined
      enabled?: boolean | undefined
      options?: OptionChange | undefined
    },
  ): Promise<Authority> {
    const one = await this.get(org, id)
    await this.#groups.check(org, change.options?.groups ?? [])
    const given = Object.entries(change.options ?? {}).filter(([, value]) => value !== undefined)
    const options = { ...one.options, ...Object.fromEntries(given) }
    const { state } = one
    return this.#change(one, {
      label: change.label ?? one.label,
      options: JSON.stringify(options),
      state:
        change.enabled === undefined || state === 'pending' ? state : change.enabled ? 'active' : 'disabled',
    })
  }

  /** Its certificates are refused from the next connection on; its key may be registered again, also elsewhere. */
  async delete(org: string, id: string): Promise<void> {
    const one = await this.get(org, id)
    const batch = new Batch()
    batch.delete(authority, { org, id })
    batch.delete(authorityByName, { name: nameHash(one.certificate.subject), org, id })
    const key = keyOf(one.certificate)
    const held = await this.#store.get(authorityByKey, { key })
    if (held?.org === org && held.authority === id) batch.delete(authorityByKey, { key })
    await remove(this.#store, authority, batch, async () => {
      const [row, owner] = await Promise.all([
        this.#store.get(authority, { org, id }),
        this.#store.get(authorityByKey, { key }),
      ])
      return row?.created_at === one.createdAt || (owner?.org === org && owner.authority === id)
    })
    this.#known.clear()
  }

  /** An active authority as it was lately. */
  async active(org: string, id: string): Promise<Authority | undefined> {
    const key = `${org}/${id}`
    const kept = this.#known.get(key)
    if (kept !== undefined && this.#clock.now() - kept.readAt < maxAgeMs) return kept.authority
    const row = await this.#store.get(authority, { org, id })
    const found = row?.state === 'active' ? record(row) : undefined
    if (this.#known.size >= maxCached) this.#known.clear()
    this.#known.set(key, { authority: found, readAt: this.#clock.now() })
    return found
  }

  /** Whose device a certificate is (DER, with what the client has sent beside it), or why nobody's. Rejects with StoreError. */
  async trust(chain: readonly Uint8Array[]): Promise<Trusted | string> {
    const certificates = parseChain(chain)
    if (certificates === undefined || certificates.length === 0) return 'the certificate cannot be read'
    const now = this.#clock.now()
    const fingerprint = sha('sha256', certificates[0].raw, 'hex')
    const before = this.#verified.get(fingerprint)
    if (before !== undefined && before.until > now) {
      if ((await this.active(before.org, before.authority)) !== undefined) return before
      this.#verified.delete(fingerprint)
    }
    let reason = 'no organisation has registered its authority'
    for (const name of new Set(certificates.map(({ issuer }) => issuer))) {
      // oxlint-disable-next-line no-await-in-loop -- few
      const rows = await this.#store.range(authorityByName, { name: nameHash(name) }, { limit: maxNamesakes })
      for (const { org, id } of rows) {
        // oxlint-disable-next-line no-await-in-loop -- mostly one
        const one = await this.active(org, id)
        if (one === undefined) continue
        // oxlint-disable-next-line no-await-in-loop
        const wrong = await distrust(certificates, one.certificate, now)
        if (wrong === null) return this.#keep(fingerprint, { org, authority: id }, certificates[0], one)
        reason = wrong
      }
    }
    return reason
  }

  /** What was read may be old. */
  doubt(): void {
    this.#known.clear()
  }

  #keep(fingerprint: string, trusted: Trusted, leaf: X509Certificate, one: Authority): Trusted {
    if (this.#verified.size >= maxCached) this.#verified.clear()
    const until = Math.min(leaf.validToDate.getTime(), one.certificate.validToDate.getTime())
    this.#verified.set(fingerprint, { ...trusted, until })
    return trusted
  }

  async #change(one: Authority, change: Partial<RowOf<typeof authority>>): Promise<Authority> {
    const { org, id, version } = one
    const row = await this.#store.get(authority, { org, id })
    const next = { ...row, org, id, ...change, version: version + 1 }
    const done = row !== undefined && (await putIf(this.#store, authority, next, 'version', version))
    this.#known.delete(`${org}/${id}`)
    if (!done) {
      throw new PlatformError(
        'conflict',
        `authority "${id}" was changed by somebody else meanwhile; try again`,
      )
    }
    return record(next)
  }
}

function isProof(
  { nonce, certificate }: Authority,
  proof: { signature?: string | undefined; certificate?: string | undefined },
): boolean {
  const { publicKey } = certificate
  if (proof.certificate !== undefined) {
    const shown = parsed(proof.certificate)
    const cn = shown.subject.split('\n').includes(`CN=${nonce}`)
    return cn && shown.checkIssued(certificate) && shown.verify(publicKey)
  }
  const algorithm = publicKey.asymmetricKeyType?.startsWith('ed') === true ? null : 'sha256'
  const signature = Buffer.from(proof.signature ?? '', 'base64')
  try {
    return verify(algorithm, Buffer.from(nonce), publicKey, signature)
  } catch {
    return false
  }
}

function parsed(pem: string): X509Certificate {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----/g)
  try {
    if (blocks?.length === 1) return new X509Certificate(pem)
  } catch {
    // told below
  }
  throw new PlatformError('invalid_certificate', 'must be one certificate as PEM', 'certificate')
}

function keyOf({ publicKey }: X509Certificate): Uint8Array {
  return sha('sha256', publicKey.export({ type: 'spki', format: 'der' }), 'buffer')
}

function nameHash(name: string): Uint8Array {
  return sha('sha256', name, 'buffer')
}

function exists(): PlatformError {
  return new PlatformError(
    'authority_exists',
    'this authority, or its key, is registered already',
    'certificate',
  )
}

function record(row: RowOf<typeof authority>): Authority {
  const pem = row.pem ?? ''
  return {
    org: row.org,
    id: row.id,
    label: row.label ?? '',
    state: authorityStates.find((state) => state === row.state) ?? 'pending',
    nonce: row.nonce ?? '',
    pem,
    certificate: new X509Certificate(pem),
    options: authorityOptions.parse(JSON.parse(row.options ?? '{}')),
    createdAt: row.created_at ?? 0,
    version: row.version ?? 0,
  }
}
