import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import path from 'node:path'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const DAY_MS = 86_400_000
/** Backdating: a host whose clock is a little behind must accept a certificate made just now. */
const BACKDATE_MS = DAY_MS
const AUTHORITY_DAYS = 3650
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

export interface CertificateRequest {
  /** Subject, and name of the files: `<name>.pem`, `<name>.key`. */
  readonly name: string
  /** DNS names that clients may connect to. */
  readonly dns?: readonly string[]
  /** IP addresses that clients may connect to. */
  readonly ips?: readonly string[]
}

/** PEM files of one identity; the key is PKCS#8, readable by the owner only. */
export interface CertificateFiles {
  readonly certFile: string
  readonly keyFile: string
}

export interface Certificates {
  /** What clients and peers trust. */
  readonly caFile: string
  /** By the name asked for. */
  readonly files: Readonly<Record<string, CertificateFiles>>
}

/**
 * A small certificate authority in a directory: makes `ca.pem` and `ca.key` if they are not there, and a certificate
 * for every request, for both server and client authentication (ECDSA P-256). Good for a cell of one's own machines,
 * between NATS, Cassandra, brokers; not for devices that come from the internet.
 *
 * @param options.days how long the certificates last; 825 unless told
 * @throws Error naming the field that is wrong, or if the authority's files cannot be read
 */
export async function makeCertificates(options: {
  directory: string
  requests: readonly CertificateRequest[]
  authority?: string
  days?: number
}): Promise<Certificates> {
  for (const request of options.requests) check(request)
  await mkdir(options.directory, { recursive: true, mode: 0o755 })
  const authority = await openAuthority(options.directory, options.authority ?? 'cinque cell')
  const files: Record<string, CertificateFiles> = {}
  for (const request of options.requests)
    files[request.name] = await issue(authority, options.directory, request, options.days ?? 825)
  return { caFile: authority.file, files }
}

interface Authority {
  readonly file: string
  readonly certificate: X509Certificate
  readonly key: webcrypto.CryptoKey
}

function check(request: CertificateRequest): void {
  const at = `certificate request "${request.name}"`
  if (!FILE_NAME.test(request.name) || request.name === 'ca')
    throw new Error(`${at}: name must be letters, digits, dots and hyphens, and not "ca": it names the files`)
  const dns = request.dns ?? []
  const ips = request.ips ?? []
  if (dns.length + ips.length === 0)
    throw new Error(`${at}: give at least one DNS name or IP address, or no client can verify it`)
  for (const ip of ips) if (isIP(ip) === 0) throw new Error(`${at}: ips: "${ip}" is not an IP address`)
  for (const name of dns)
    if (isIP(name) !== 0) throw new Error(`${at}: dns: "${name}" is an IP address: put it into ips`)
}

async function openAuthority(directory: string, name: string): Promise<Authority> {
  const file = path.join(directory, 'ca.pem')
  const keyFile = path.join(directory, 'ca.key')
  if (existsSync(file) && existsSync(keyFile)) return readAuthority(file, keyFile)
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [name] }],
    keys,
    signingAlgorithm: ALGORITHM,
    ...validity(AUTHORITY_DAYS),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  await writePem(keyFile, await keyPem(keys.privateKey), 0o600)
  await writePem(file, `${certificate.toString('pem')}\n`, 0o644)
  return { file, certificate, key: keys.privateKey }
}

async function readAuthority(file: string, keyFile: string): Promise<Authority> {
  try {
    const certificate = new X509Certificate(await readFile(file, 'utf8'))
    const der = PemConverter.decodeFirst(await readFile(keyFile, 'utf8'))
    const key = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign'])
    return { file, certificate, key }
  } catch (error) {
    throw new Error(
      `${file} and ${keyFile} are not a certificate authority made here (${(error as Error).message}): ` +
        'remove both for a new one',
      { cause: error },
    )
  }
}

async function issue(
  authority: Authority,
  directory: string,
  request: CertificateRequest,
  days: number,
): Promise<CertificateFiles> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.create({
    subject: [{ CN: [request.name] }],
    issuer: authority.certificate.subjectName,
    publicKey: keys.publicKey,
    signingKey: authority.key,
    signingAlgorithm: ALGORITHM,
    ...validity(days),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([
        ...(request.dns ?? []).map((value) => ({ type: 'dns' as const, value })),
        ...(request.ips ?? []).map((value) => ({ type: 'ip' as const, value })),
      ]),
      await AuthorityKeyIdentifierExtension.create(authority.certificate.publicKey),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  const certFile = path.join(directory, `${request.name}.pem`)
  const keyFile = path.join(directory, `${request.name}.key`)
  await writePem(keyFile, await keyPem(keys.privateKey), 0o600)
  await writePem(certFile, `${certificate.toString('pem')}\n`, 0o644)
  return { certFile, keyFile }
}

function validity(days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() - BACKDATE_MS), notAfter: new Date(Date.now() + days * DAY_MS) }
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  return `${PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`
}

/** Whole or not at all: a server that reloads meanwhile must not read half a file. */
async function writePem(file: string, pem: string, mode: number): Promise<void> {
  const unfinished = `${file}.new`
  await writeFile(unfinished, pem, { mode })
  await rename(unfinished, file)
}
