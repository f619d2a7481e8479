import type { Clock } from '../clock.ts'
import type { Certificates } from '../registry/certificates.ts'
import type { Device } from '../registry/device-record.ts'
import type { Organisation } from '../registry/organisations.ts'
import type { Registry } from '../registry/registry.ts'
import { keyHash, maxKeyText } from './keys.ts'
import type { Acl, Authenticator, Credentials, Denial, Principal, Quota } from './principal.ts'

/** A device of the platform that is connected. */
export class DevicePrincipal implements Principal {
  readonly org: string
  readonly username: string
  readonly device: Device
  readonly acl: Acl
  readonly quota: Quota = {}
  /** IoT Guru's user short id of its organisation: the second level of its `pub/` and `sub/` topics. */
  readonly user: string
  readonly credential: string | undefined
  readonly expiresAt: number | undefined

  constructor(known: Known, username: string, clientId: string) {
    const { organisation, device } = known
    this.credential = known.shown
    this.expiresAt = known.expiresAt ?? undefined
    this.org = organisation.id
    this.username = username
    this.device = device
    this.user = organisation.user
    this.acl = organisation.rules.for({
      username,
      clientId,
      device: device.id,
      name: device.name,
      user: organisation.user,
    })
  }
}

interface Known {
  readonly organisation: Organisation
  readonly device: Device
  /** Hash of the key or fingerprint of the certificate, hex. */
  readonly shown?: string | undefined
  /** When that ends; null: never. */
  readonly expiresAt?: number | null | undefined
}

type Kept = Known & { readonly readAt: number }

/** By then a change is seen also by a process that was not told of it. */
const maxAgeMs = 300_000

export interface DeviceAuthenticatorOptions {
  /** The organisation whose devices may show certificates; absent: none. */
  readonly certificateOrganisation?: string | undefined
  /** Which name of a certificate is the device's name or id. Default: the subject's CN. */
  readonly certificateIdentity?: 'cn' | 'san' | undefined
  /** Those of organisations' authorities; absent: none. */
  readonly certificates?: Certificates | undefined
  /** Who a provisioning key lets in; absent: nobody. */
  readonly provisioner?: ((key: Uint8Array) => Promise<Principal | undefined>) | undefined
  /** Verified keys and certificates kept in memory. Default: 100,000, about 300 bytes each. */
  readonly cacheSize?: number | undefined
}

/**
 * Devices by key or by certificate. A key says by itself which device it is; the user name must agree with it: the
 * device's name or id, nothing, or (as the IoT Guru library does) the organisation's user short id with the device's
 * id as client id. Answers at once for what it has seen in the last 5 minutes. A rotated or deleted device, and the
 * devices of an organisation that was changed, are forgotten at once, also when another process has done it and says
 * so; everything is when such words may have been lost.
 */
export class DeviceAuthenticator implements Authenticator {
  readonly #registry: Registry
  readonly #clock: Clock
  readonly #organisation: string | undefined
  readonly #identity: 'cn' | 'san'
  readonly #cacheSize: number
  readonly #certificates: Certificates | undefined
  readonly #provisioner: DeviceAuthenticatorOptions['provisioner']
  /** By key hash or certificate name. */
  readonly #known = new Map<string, Kept>()
  readonly #keysOf = new Map<string, string[]>()
  #changes = 0

  constructor(registry: Registry, clock: Clock, options: DeviceAuthenticatorOptions = {}) {
    this.#registry = registry
    this.#clock = clock
    this.#organisation = options.certificateOrganisation
    this.#identity = options.certificateIdentity ?? 'cn'
    this.#certificates = options.certificates
    this.#provisioner = options.provisioner
    this.#cacheSize = options.cacheSize ?? 100_000
    registry.onKeyGone((device) => this.#forget(device.org, device.id))
    registry.organisations.onChanged(({ id }) => this.#forgetOrganisation(id))
    registry.onDoubt(() => this.#forgetAll())
  }

  authenticate(credentials: Credentials): Principal | Denial | Promise<Principal | Denial> {
    const { password, certificate } = credentials
    if (password !== undefined && password.length > 0) {
      if (password.length > maxKeyText) return denied('the password is too long to be a device key')
      if (this.#provisioner !== undefined && isProvisioning(password))
        return this.#provisioner(password).then((found) => found ?? denied('no such provisioning key'))
      const hash = keyHash(password)
      const cacheKey = hash.toString('latin1')
      const known = this.#recall(cacheKey)
      if (known !== undefined) return byKey(known, credentials)
      return this.#learn(cacheKey, () => this.#findByHash(hash)).then((found) => byKey(found, credentials))
    }
    if (certificate === undefined) return denied('no device key was given as password')
    if (certificate.authority !== undefined) return this.#byAuthority(certificate, credentials)
    const names = this.#identity === 'cn' ? [certificate.cn] : certificate.sans
    for (const name of names) {
      const known = this.#recall(`certificate ${name}`)
      if (known !== undefined) return byCertificate(known, credentials)
    }
    return this.#learnCertificate(names).then((found) => byCertificate(found, credentials))
  }

  /** By a certificate of an organisation's authority. Asks each time: a revoked one is refused at once. */
  async #byAuthority(
    { authority, ...shown }: NonNullable<Credentials['certificate']>,
    credentials: Credentials,
  ): Promise<Principal | Denial> {
    const organisation = authority && (await this.#registry.organisations.find(authority.org))
    if (this.#certificates === undefined || authority === undefined || organisation === undefined)
      return denied('the certificate is of no organisation')
    const device = await this.#certificates.identify({ ...shown, ...authority }, credentials.username)
    if (typeof device === 'string') return denied(device)
    if (!this.#registry.isAdmitted(device)) return denied(`device "${device.name}" is disabled`)
    const { fingerprint } = shown
    this.#registry.used(device, fingerprint.slice(0, 32))
    const known = { organisation, device, shown: fingerprint, expiresAt: authority.notAfter }
    return byCertificate(known, credentials)
  }

  async #learnCertificate(names: readonly string[]): Promise<Known | undefined> {
    for (const name of names.slice(0, 8)) {
      // One after the other: the first name that is a device counts.
      // oxlint-disable-next-line no-await-in-loop
      const found = await this.#learn(`certificate ${name}`, () => this.#findByName(name))
      if (found !== undefined) return found
    }
    return undefined
  }

  /** Looks up and keeps the answer. If anything was revoked meanwhile the answer may be old: it asks again. */
  async #learn(cacheKey: string, look: () => Promise<Known | undefined>): Promise<Known | undefined> {
    for (let attempt = 0; ; attempt++) {
      const changes = this.#changes
      // oxlint-disable-next-line no-await-in-loop
      const found = await look()
      if (changes === this.#changes) {
        if (found !== undefined && this.#registry.organisations.isCurrent(found.organisation))
          this.#keep(cacheKey, found)
        return found
      }
      if (attempt === maxAttempts) throw new Error('devices change faster than one can be looked up')
    }
  }

  #recall(cacheKey: string): Known | undefined {
    const kept = this.#known.get(cacheKey)
    const now = this.#clock.now()
    if (kept === undefined || now - kept.readAt >= maxAgeMs) return undefined
    return now < (kept.expiresAt ?? Number.POSITIVE_INFINITY) ? kept : undefined
  }

  async #findByHash(hash: Uint8Array): Promise<Known | undefined> {
    const owner = await this.#registry.findKeyHash(hash)
    if (owner?.kind !== 'device') return undefined
    return { ...owner, shown: Buffer.from(hash).toString('hex') }
  }

  async #findByName(name: string): Promise<Known | undefined> {
    if (this.#organisation === undefined || name.length > maxKeyText) return undefined
    const organisation = await this.#registry.organisations.find(this.#organisation)
    const device = organisation && (await this.#registry.devices.find(organisation.id, name))
    return organisation && device && this.#registry.isAdmitted(device) ? { organisation, device } : undefined
  }

  #keep(cacheKey: string, known: Known): void {
    if (this.#known.size >= this.#cacheSize && !this.#known.has(cacheKey)) {
      const [[oldest, { device }]] = this.#known
      this.#known.delete(oldest)
      const rest = this.#keysOf.get(idOf(device.org, device.id))?.filter((key) => key !== oldest)
      if (rest === undefined || rest.length === 0) this.#keysOf.delete(idOf(device.org, device.id))
      else this.#keysOf.set(idOf(device.org, device.id), rest)
    }
    const id = idOf(known.device.org, known.device.id)
    const keys = this.#keysOf.get(id) ?? []
    if (!keys.includes(cacheKey)) this.#keysOf.set(id, [...keys, cacheKey])
    this.#known.delete(cacheKey)
    this.#known.set(cacheKey, { ...known, readAt: this.#clock.now() })
  }

  #forget(org: string, device: string): void {
    this.#changes++
    for (const cacheKey of this.#keysOf.get(idOf(org, device)) ?? []) this.#known.delete(cacheKey)
    this.#keysOf.delete(idOf(org, device))
  }

  #forgetOrganisation(org: string): void {
    this.#changes++
    for (const [cacheKey, { organisation, device }] of this.#known) {
      if (organisation.id !== org) continue
      this.#known.delete(cacheKey)
      this.#keysOf.delete(idOf(org, device.id))
    }
  }

  #forgetAll(): void {
    this.#changes++
    this.#known.clear()
    this.#keysOf.clear()
  }
}

const maxAttempts = 100

function byKey(known: Known | undefined, { username, clientId }: Credentials): Principal | Denial {
  if (known === undefined)
    return denied('no device has this key; it may have been rotated, or the device disabled or deleted')
  const { organisation, device } = known
  if (username === undefined || username === '') return new DevicePrincipal(known, device.name, clientId)
  if (username === device.name || username === device.id)
    return new DevicePrincipal(known, username, clientId)
  if (username === organisation.user) {
    if (clientId === device.id) return new DevicePrincipal(known, username, clientId)
    return denied(`with the user id as user name the client id must be the device id, not "${clientId}"`)
  }
  return denied(`the key belongs to another device than "${username}"`)
}

function byCertificate(known: Known | undefined, { username, clientId }: Credentials): Principal | Denial {
  if (known === undefined) return denied('the certificate names no device')
  const { device } = known
  if (username === undefined || username === '' || username === device.name || username === device.id) {
    return new DevicePrincipal(known, device.name, clientId)
  }
  return denied(`the certificate names device "${device.name}", the user name is "${username}"`)
}

/** `p_` */
function isProvisioning(password: Uint8Array): boolean {
  return password[0] === 0x70 && password[1] === 0x5f
}

function idOf(org: string, device: string): string {
  return `${org}/${device}`
}

function denied(explanation: string): Denial {
  return { denied: 'bad_credentials', explanation }
}
