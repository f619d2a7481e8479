import { hash as sha, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { keyHash, newId, newKey } from '../auth/keys.ts'
import type { Clock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { Batch, type Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import { putIf } from './conditional.ts'
import type { Device } from './device-record.ts'
import type { Registry } from './registry.ts'
import { claimCode, credential } from './tables.ts'

/** Without I, L, O and U: they are read as others (Crockford's base 32). */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
/** 60 bits: with the limits of requests nobody guesses one. */
const codeLength = 12
export const maxCodes = 1000

/** A claim code as it is printed, with the key that the device has from its factory. Both are shown this once. */
export interface NewClaim {
  readonly code: string
  readonly key: string
  /** For a QR code. */
  readonly qr: string
}

export interface Claim {
  /** Null: nobody's yet. */
  readonly owner: { readonly org: string; readonly device: string } | null
}

const defaults = z.object({
  labels: z.record(z.string(), z.string()).optional(),
  profile: z.string().optional(),
})

/**
 * Codes by which people make a device theirs: its maker makes a code and a key for each, prints the one and puts the
 * other into the device. Who claims the code gets the device into his organisation; the device asks with its key, and
 * gets a key of that organisation. Each works once.
 */
export class Claims {
  readonly #store: Store
  readonly #clock: Clock
  readonly #registry: Registry

  constructor(store: Store, clock: Clock, registry: Registry) {
    this.#store = store
    this.#clock = clock
    this.#registry = registry
  }

  /** Durable when it resolves. */
  async create(
    maker: string,
    count: number,
    input: {
      expiresAt: number
      labels?: Readonly<Record<string, string>> | undefined
      profile?: string | undefined
    },
  ): Promise<NewClaim[]> {
    const now = this.#clock.now()
    const batch = new Batch()
    const { labels, profile } = input
    const made = Array.from({ length: count }, () => {
      const code = newCode()
      const key = newKey('provisioning')
      const hash = hashOf(code)
      batch.put(claimCode, {
        code: hash,
        maker,
        key_hash: keyHash(key),
        template: JSON.stringify({ labels, profile }),
        created_at: now,
        expires_at: input.expiresAt,
        version: now * 1024,
      })
      const owner = { kind: 'claim', org: maker, device: hash.toString('hex') }
      batch.put(credential, { hash: keyHash(key), ...owner, created_at: now })
      return { code: written(code), key, qr: `cinque:claim?code=${code}` }
    })
    await this.#store.write(batch)
    return made
  }

  /**
   * Makes the device of this code in an organisation; it gets its key by itself. The same code again by the same
   * organisation: the same device. PlatformError `claim_not_found` (also when it is another's or has expired),
   * `name_taken`, `group_not_found`.
   */
  async claim(
    org: string,
    code: string,
    input: { name?: string | undefined; groups?: readonly string[] | undefined },
  ): Promise<Device> {
    const hash = hashOf(read(code))
    const row = await this.#store.get(claimCode, { code: hash })
    if (row === undefined) throw unknown()
    if (row.org === org && row.device !== undefined) {
      const device = await this.#registry.devices.findById(org, row.device)
      if (device !== undefined) return device
    }
    const over = (row.expires_at ?? 0) <= this.#clock.now()
    if (over || (row.org !== undefined && row.org !== org)) throw unknown()
    const { devices, groups } = this.#registry
    await groups.check(org, input.groups ?? [])
    const name = input.name ?? `device-${hash.toString('hex').slice(0, 8)}`
    if ((await devices.find(org, name)) !== undefined)
      throw new PlatformError('name_taken', `a device named "${name}" exists already`, 'name')
    const device = newId()
    const version = (row.version ?? 0) + 1
    const claimed = { ...row, org, device, claimed_at: this.#clock.now(), version }
    if (!(await putIf(this.#store, claimCode, claimed, 'version', row.version))) throw unknown()
    const template = defaults.parse(JSON.parse(row.template ?? '{}'))
    const made = await devices.create(org, { ...template, name, id: device, groups: input.groups })
    return made.device
  }

  /** Undefined: there is none, or it has expired without being claimed. */
  async find(code: Uint8Array): Promise<Claim | undefined> {
    const row: RowOf<typeof claimCode> | undefined = await this.#store.get(claimCode, { code })
    if (row === undefined) return undefined
    if (row.org !== undefined && row.device !== undefined)
      return { owner: { org: row.org, device: row.device } }
    return (row.expires_at ?? 0) > this.#clock.now() ? { owner: null } : undefined
  }
}

function newCode(): string {
  return Array.from(randomBytes(codeLength), (byte) => alphabet[byte % alphabet.length]).join('')
}

/** `ABCD-EFGH-JKMN` */
function written(code: string): string {
  return `${code.slice(0, 4)}-${code.slice(4, 8)}-${code.slice(8)}`
}

/** As people type it: small letters, blanks, and letters that look like others. */
function read(text: string): string {
  const code = text.toUpperCase().replaceAll(/[\s-]/g, '').replaceAll(/[IL]/g, '1').replaceAll('O', '0')
  return code
}

function hashOf(code: string): Buffer {
  return sha('sha256', `claim ${code}`, 'buffer')
}

function unknown(): PlatformError {
  return new PlatformError('claim_not_found', 'no such code, or it was claimed or has expired', 'code')
}
