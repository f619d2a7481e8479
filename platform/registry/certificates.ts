import { hash as sha } from 'node:crypto'
import type { Audit } from '../audit/audit.ts'
import type { Clock } from '../clock.ts'
import { HybridClock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { Batch, type Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import type { Authorities } from './authorities.ts'
import type { Device } from './device-record.ts'
import { deviceName } from './device-record.ts'
import type { Registry } from './registry.ts'
import type { KeyGone } from './revocations.ts'
import { deviceCertificate, revokedSerial } from './tables.ts'

/** A certificate that was verified against an authority of an organisation. */
export interface ShownCertificate {
  readonly org: string
  readonly authority: string
  readonly fingerprint: string
  readonly serial: string
  readonly subject: string
  readonly cn: string
  readonly sans: readonly string[]
  readonly notBefore: number
  readonly notAfter: number
}

/** A certificate that a device has shown, or that was revoked before. */
export interface DeviceCertificate {
  readonly fingerprint: string
  /** Id; null: nobody has shown it, or it is of many. */
  readonly device: string | null
  readonly authority: string | null
  readonly subject: string
  readonly serial: string
  readonly notBefore: number | null
  readonly notAfter: number | null
  readonly firstSeen: number | null
  readonly revokedAt: number | null
}

const buckets = 256
const maxNames = 8
export const fingerprintPattern = /^[0-9a-f]{64}$/

/**
 * The certificates of devices. A certificate belongs to the device that its name says when it is shown for the first
 * time, and stays its; a device that is not known yet is made then, if its authority is for that, and is let in by
 * this very connection.
 */
export class Certificates {
  readonly #store: Store
  readonly #clock: Clock
  readonly #stamps: HybridClock
  readonly #registry: Registry
  readonly #authorities: Authorities
  readonly #audit: Audit

  constructor(store: Store, clock: Clock, registry: Registry, authorities: Authorities, audit: Audit) {
    this.#audit = audit
    this.#store = store
    this.#clock = clock
    this.#stamps = new HybridClock(clock)
    this.#registry = registry
    this.#authorities = authorities
  }

  /** The device that shows this certificate, or why it is not let in. Rejects with StoreError. */
  async identify(shown: ShownCertificate, username: string | undefined): Promise<Device | string> {
    const { org, fingerprint } = shown
    const authority = await this.#authorities.active(org, shown.authority)
    if (authority === undefined) return 'its authority is not active'
    const key = { org, bucket: bucketOf(fingerprint), fingerprint }
    const [known, serial] = await Promise.all([
      this.#store.get(deviceCertificate, key),
      this.#store.get(revokedSerial, { org, authority: shown.authority, serial: plain(shown.serial) }),
    ])
    if (
      known?.revoked_at !== undefined ||
      serial !== undefined ||
      this.#registry.isRevoked(hashOf(fingerprint))
    )
      return 'the certificate was revoked'
    const { devices } = this.#registry
    const { options } = authority
    if (options.shared) {
      if (username === undefined || username === '')
        return 'the certificate is of many: the user name must say which'
      const named = await devices.find(org, username)
      if (known === undefined) await this.#save(shown, undefined)
      return named ?? (options.register ? this.#make(shown, username, options) : `no device "${username}"`)
    }
    if (known?.device !== undefined) {
      const bound = await devices.findById(org, known.device)
      return (
        bound ?? 'the device of this certificate was deleted; delete the certificate to let it come again'
      )
    }
    const names = (options.identity === 'cn' ? [shown.cn] : shown.sans).filter((name) => name !== '')
    for (const name of names.slice(0, maxNames)) {
      // One after the other: the first name that is a device counts.
      // oxlint-disable-next-line no-await-in-loop
      const device = await devices.find(org, name)
      if (device === undefined) continue
      // oxlint-disable-next-line no-await-in-loop
      await this.#save(shown, device.id)
      return device
    }
    const name = names.find((one) => deviceName.test(one))
    if (!options.register) return 'the certificate names no device'
    if (name === undefined) return 'the certificate has no name that a device may have'
    const made = await this.#make(shown, name, options)
    if (typeof made !== 'string') await this.#save(shown, made.id)
    return made
  }

  /** In no particular order; `after` is where the page before ended. */
  async list(
    org: string,
    filter: {
      device?: string | undefined
      authority?: string | undefined
      expiresBefore?: number | undefined
      revoked?: boolean | undefined
    },
    page: { limit: number; after?: { bucket: number; fingerprint: string } | undefined },
  ): Promise<{ certificates: DeviceCertificate[]; next: { bucket: number; fingerprint: string } | null }> {
    const found: DeviceCertificate[] = []
    let from = page.after?.fingerprint
    for (let bucket = page.after?.bucket ?? 0; bucket < buckets; bucket++, from = undefined) {
      for (;;) {
        const range = { ...(from === undefined ? {} : { after: { fingerprint: from } }), limit: page.limit }
        // oxlint-disable-next-line no-await-in-loop -- until the page is full
        const rows = await this.#store.range(deviceCertificate, { org, bucket }, range)
        for (const row of rows) {
          from = row.fingerprint
          const one = record(row)
          if (
            (filter.device !== undefined && one.device !== filter.device) ||
            (filter.authority !== undefined && one.authority !== filter.authority) ||
            (filter.revoked !== undefined && (one.revokedAt !== null) !== filter.revoked) ||
            (filter.expiresBefore !== undefined && (one.notAfter ?? Infinity) >= filter.expiresBefore)
          )
            continue
          found.push(one)
          if (found.length === page.limit) return { certificates: found, next: { bucket, fingerprint: from } }
        }
        if (rows.length < page.limit) break
      }
    }
    return { certificates: found, next: null }
  }

  /** Also one that nobody has shown yet; its connections are closed when this resolves. Works in a datacenter alone. */
  async revoke(org: string, fingerprint: string): Promise<void> {
    const key = { org, bucket: bucketOf(fingerprint), fingerprint }
    const known = await this.#store.get(deviceCertificate, key)
    const now = this.#clock.now()
    const batch = new Batch()
    batch.put(deviceCertificate, {
      ...known,
      ...key,
      revoked_at: known?.revoked_at ?? now,
      stamp: this.#stamp(known),
    })
    await this.#store.write(batch)
    await this.#close(org, known?.device, fingerprint)
  }

  /** The same by the serial number of an authority's certificate, hex. PlatformError `authority_not_found`. */
  async revokeSerial(org: string, authority: string, number: string): Promise<void> {
    await this.#authorities.get(org, authority)
    const serial = plain(number)
    const batch = new Batch()
    batch.put(revokedSerial, { org, authority, serial, revoked_at: this.#clock.now() })
    await this.#store.write(batch)
    let after: { bucket: number; fingerprint: string } | undefined
    do {
      // oxlint-disable-next-line no-await-in-loop -- page after page
      const page = await this.list(org, { authority }, { limit: 1000, after })
      // oxlint-disable-next-line no-await-in-loop -- mostly one
      for (const one of page.certificates)
        if (plain(one.serial) === serial) await this.revoke(org, one.fingerprint)
      after = page.next ?? undefined
    } while (after !== undefined)
  }

  /** Forgets it: what it names when it is shown again counts. A revoked one cannot be forgotten. */
  async forget(org: string, fingerprint: string): Promise<void> {
    const key = { org, bucket: bucketOf(fingerprint), fingerprint }
    const known = await this.#store.get(deviceCertificate, key)
    if (known === undefined || known.revoked_at !== undefined)
      throw new PlatformError('certificate_not_found', `no certificate "${fingerprint}" that is not revoked`)
    const batch = new Batch()
    batch.delete(deviceCertificate, key)
    await this.#store.write(batch)
    await this.#close(org, known.device, fingerprint)
  }

  /** Certificates of all organisations that are good, by the days that are left, at most those many. */
  async expiring(days: readonly number[]): Promise<Map<number, number>> {
    const now = this.#clock.now()
    const counts = new Map(days.map((day) => [day, 0]))
    let cursor: string | null = null
    do {
      // oxlint-disable-next-line no-await-in-loop -- page after page
      const page: { rows: RowOf<typeof deviceCertificate>[]; cursor: string | null } = await this.#store.scan(
        deviceCertificate,
        cursor,
        1000,
      )
      for (const { not_after: end, revoked_at: revoked } of page.rows) {
        if (end === undefined || end < now || revoked !== undefined) continue
        for (const day of days) if (end - now <= day * dayMs) counts.set(day, (counts.get(day) ?? 0) + 1)
      }
      cursor = page.cursor
    } while (cursor !== null)
    return counts
  }

  async #make(
    { org, fingerprint, authority }: ShownCertificate,
    name: string,
    {
      groups,
      labels,
      profile,
    }: {
      groups?: string[] | undefined
      labels?: Record<string, string> | undefined
      profile?: string | undefined
    },
  ): Promise<Device | string> {
    // The same id for the same certificate and name: two first connections at a time make one device.
    const seed = `${authority} ${fingerprint} ${name}`
    const id = sha('sha256', seed, 'buffer').subarray(0, 16).toString('base64url')
    const { devices, groups: service } = this.#registry
    const there = await service.existing(org, groups ?? [])
    const [made] = await devices.createMany(org, [{ name, id, key: null, groups: there, labels, profile }])
    if (made instanceof PlatformError) return made.message
    const deed = {
      org,
      actor: { kind: 'device', id, name: 'its certificate' } as const,
      operation: 'registerDevice',
      targets: [id],
    }
    await this.#audit.record(deed, { outcome: 'done', after: { id, name, authority, fingerprint } })
    return made
  }

  async #save(shown: ShownCertificate, device: string | undefined): Promise<void> {
    const { org, fingerprint } = shown
    const batch = new Batch()
    batch.put(deviceCertificate, {
      org,
      bucket: bucketOf(fingerprint),
      fingerprint,
      device,
      authority: shown.authority,
      subject: shown.subject.slice(0, 256),
      serial: shown.serial,
      not_before: shown.notBefore,
      not_after: shown.notAfter,
      first_seen: this.#clock.now(),
      stamp: this.#stamp(undefined),
    })
    await this.#store.write(batch)
  }

  #stamp(known: { stamp?: number | undefined } | undefined): number {
    this.#stamps.see(known?.stamp ?? 0)
    return this.#stamps.next()
  }

  async #close(org: string, device: string | undefined, fingerprint: string): Promise<void> {
    const gone: KeyGone = { org, id: device ?? '', name: device ?? '', hash: hashOf(fingerprint) }
    await this.#registry.revokeCertificate(gone)
  }
}

const dayMs = 86_400_000

function bucketOf(fingerprint: string): number {
  return Number.parseInt(fingerprint.slice(0, 2), 16)
}

/** Tools write leading zeros or not. */
function plain(serial: string): string {
  return serial.toUpperCase().replace(/^0+(?=.)/, '')
}

function hashOf(fingerprint: string): Uint8Array {
  return Buffer.from(fingerprint, 'hex')
}

function record(row: RowOf<typeof deviceCertificate>): DeviceCertificate {
  return {
    fingerprint: row.fingerprint,
    device: row.device ?? null,
    authority: row.authority ?? null,
    subject: row.subject ?? '',
    serial: row.serial ?? '',
    notBefore: row.not_before ?? null,
    notAfter: row.not_after ?? null,
    firstSeen: row.first_seen ?? null,
    revokedAt: row.revoked_at ?? null,
  }
}
