import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  X509Certificate,
} from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parse, stringify } from 'yaml'
import { ApiError, type CinqueClient } from '#client/index.ts'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { makeCertificates } from '#platform/pki/certificates.ts'

export interface ProvisionOptions {
  /** As the platform's administrator. */
  readonly admin: CinqueClient
  /** With the authorization that it is given. */
  readonly clientOf: (credential: { readonly token: string } | { readonly deviceKey: string }) => CinqueClient
  readonly inventory: Inventory
  /** Where the inventory is on the hosts of the checkers. */
  readonly inventoryFile: string
  /** Gets a directory for each checker, to be copied to its host. */
  readonly directory: string
  /** Whose devices and keys the checkers have. */
  readonly organisation: string
  /** What checkers are told of probes, beside their credentials. */
  readonly probe?: Readonly<Record<string, unknown>>
  /** Other keys of the configuration of a checker, as `dns`. */
  readonly config?: (checker: Host) => Readonly<Record<string, unknown>>
}

export interface Provisioned {
  readonly checker: string
  readonly config: string
  /** What was made now; nothing: all was there and is good. */
  readonly made: readonly string[]
}

/** A certificate that ends sooner is made anew. */
const renewDays = 60
const dayMs = 86_400_000
/** How often, and how long after each other, a device is looked for whose name is taken. */
const lookups = 15
const lookupMs = 2000

/**
 * Makes what the checkers of an inventory need: an organisation for them, a device and an API key each, a key that signs
 * votes, certificates between them, the secret of the paths, and a configuration. What is there and good stays as it is,
 * so that it can be run again, after a failure or when a checker was added. Rejects with ApiError, or an Error of a line.
 */
export async function provision(options: ProvisionOptions): Promise<Provisioned[]> {
  const { inventory, directory } = options
  const checkers = inventory.hosts.filter(({ roles }) => roles.includes('checker'))
  if (checkers.length === 0) {
    throw new Error('the inventory has no host with role checker; give it to one of each DC')
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const isNew = await ensureOrganisation(options)
  const made = new Map(checkers.map(({ name }) => [name, isNew ? ['organisation'] : []]))
  const note = (name: string, what: string): void => void made.get(name)?.push(what)
  const secret = ensureSecret(join(directory, 'secret'))
  await ensureCertificates(directory, checkers, note)
  const keys: Record<string, string> = {}
  for (const { name } of checkers) {
    mkdirSync(join(directory, name), { recursive: true, mode: 0o700 })
    keys[name] = ensureSigningKey(join(directory, name, 'signing.key'), () => note(name, 'signing key'))
  }
  for (const checker of checkers) {
    const { name } = checker
    // oxlint-disable-next-line no-await-in-loop -- few, and an administrator's requests are limited
    const device = await ensureDevice(options, name, () => note(name, 'device'))
    // oxlint-disable-next-line no-await-in-loop
    await ensureApiKey(options, name, device, () => note(name, 'API key'))
    writePrivate(join(directory, name, 'secret'), secret)
    writeConfig(options, checker, { keys, device })
  }
  return checkers.map(({ name }) => ({
    checker: name,
    config: join(directory, name, 'checker.yaml'),
    made: made.get(name) ?? [],
  }))
}

/** Whether it was made now. */
async function ensureOrganisation({ admin, organisation: id }: ProvisionOptions): Promise<boolean> {
  try {
    await admin.get('/v1/organisations/{organisation}', { params: { path: { organisation: id } } })
    return false
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'organisation_not_found') throw error
  }
  await admin.post('/v1/organisations', { body: { id, name: 'Health checks' } })
  // What probes store is read at once, or never.
  await admin.put('/v1/retention', {
    params: { query: { organisation: id } },
    body: { rules: [{ values: '7d', aggregates: false }] },
  })
  return true
}

async function ensureDevice(options: ProvisionOptions, name: string, made: () => void): Promise<string> {
  const { clientOf, directory } = options
  const file = join(directory, name, 'device.key')
  if (existsSync(file)) {
    const own = clientOf({ deviceKey: readFileSync(file, 'utf8').trim() })
    try {
      return (await own.get('/v1/devices/{device}', { params: { path: { device: 'me' } } })).id
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error
    }
  }
  const { id, key } = await newKeyOf(options, `health-${name}`)
  writePrivate(file, key)
  made()
  return id
}

/** Of a new device, or of the one that is there. A name whose device is not to be seen yet is another request's, which ends soon. */
async function newKeyOf(
  { admin, organisation }: ProvisionOptions,
  device: string,
): Promise<{ id: string; key: string }> {
  const query = { organisation }
  for (let left = lookups; ; left--) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- until it can be seen
      return await admin.post('/v1/devices', { params: { query }, body: { name: device } })
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'name_taken') throw error
    }
    try {
      // oxlint-disable-next-line no-await-in-loop
      return await admin.post('/v1/devices/{device}/key', { params: { path: { device }, query } })
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'device_not_found' || left === 0) throw error
    }
    // oxlint-disable-next-line no-await-in-loop
    await sleep(lookupMs)
  }
}

async function ensureApiKey(
  { admin, clientOf, organisation, directory }: ProvisionOptions,
  name: string,
  device: string,
  made: () => void,
): Promise<void> {
  const file = join(directory, name, 'api.key')
  if (existsSync(file)) {
    const own = clientOf({ token: readFileSync(file, 'utf8').trim() })
    try {
      await own.get('/v1/devices/{device}', { params: { path: { device } } })
      return
    } catch (error) {
      if (!(error instanceof ApiError) || ![401, 403, 404].includes(error.status)) throw error
    }
  }
  const { secret } = await admin.post('/v1/api-keys', {
    params: { query: { organisation } },
    body: {
      name: `health-${name}`,
      role: 'viewer',
      scopes: ['devices:read', 'telemetry:read', 'overrides:read', 'maintenance:read'],
    },
  })
  writePrivate(file, secret)
  made()
}

/** The public key: 32 bytes in base64url. */
function ensureSigningKey(file: string, made: () => void): string {
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync('ed25519')
    writePrivate(file, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
    made()
  }
  const { x } = createPublicKey(createPrivateKey(readFileSync(file, 'utf8'))).export({ format: 'jwk' })
  if (typeof x !== 'string') throw new Error(`${file} is no Ed25519 key; remove it for a new one`)
  return x
}

function ensureSecret(file: string): string {
  if (!existsSync(file)) writePrivate(file, `${randomBytes(24).toString('base64url')}\n`)
  return readFileSync(file, 'utf8')
}

async function ensureCertificates(
  directory: string,
  checkers: readonly Host[],
  note: (name: string, what: string) => void,
): Promise<void> {
  const authority = join(directory, 'authority')
  const wanted = checkers.filter(({ name, address }) => !isGood(join(authority, `${name}.pem`), address))
  const requests = wanted.map(({ name, address }) => ({ name, dns: [name], ips: [address] }))
  await makeCertificates({ directory: authority, requests, authority: 'cinque checkers' })
  for (const { name } of checkers) {
    const own = join(directory, name)
    mkdirSync(own, { recursive: true, mode: 0o700 })
    copyFileSync(join(authority, `${name}.pem`), join(own, 'tls.pem'))
    copyFileSync(join(authority, `${name}.key`), join(own, 'tls.key'))
    copyFileSync(join(authority, 'ca.pem'), join(own, 'tls-ca.pem'))
  }
  for (const { name } of wanted) note(name, 'certificate')
}

function isGood(file: string, address: string): boolean {
  if (!existsSync(file)) return false
  const certificate = new X509Certificate(readFileSync(file))
  const left = certificate.validToDate.getTime() - Date.now()
  return left > renewDays * dayMs && certificate.checkIP(address) !== undefined
}

/** What a person has added to the file stays, but for comments. */
function writeConfig(
  { directory, inventoryFile, probe, config: more }: ProvisionOptions,
  checker: Host,
  { keys, device }: { keys: Record<string, string>; device: string },
): void {
  const { name } = checker
  const file = join(directory, name, 'checker.yaml')
  const before = existsSync(file) ? (parse(readFileSync(file, 'utf8')) as Record<string, unknown>) : {}
  const config = {
    name,
    inventory: inventoryFile,
    key_file: 'signing.key',
    secret_file: 'secret',
    state: 'state',
    tls: { cert_file: 'tls.pem', key_file: 'tls.key', ca_file: 'tls-ca.pem' },
    ...before,
    ...more?.(checker),
    keys,
    probe: {
      device_key_file: 'device.key',
      api_key_file: 'api.key',
      ...(before.probe as object | undefined),
      ...probe,
      device_id: device,
    },
  }
  writePrivate(file, stringify(config))
}

function writePrivate(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600, flush: true })
  renameSync(`${file}.new`, file)
}
