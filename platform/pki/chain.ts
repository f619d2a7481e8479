import { X509Certificate } from 'node:crypto'
import type { X509Certificate as Parsed } from '@peculiar/x509'

type Parser = (raw: Uint8Array) => Parsed

/** Only who has certificates of organisations needs it, and it is large. */
async function loadParser(): Promise<Parser> {
  await import('reflect-metadata')
  const { X509Certificate: Certificate } = await import('@peculiar/x509')
  return (raw) => new Certificate(Uint8Array.from(raw))
}

/** Certificates between a device's and its authority. */
const maxIntermediates = 4
const minRsaBits = 2048

/** Extensions that are looked at here or say nothing about whom to trust (RFC 5280, 4.2). */
const understood = new Set([
  '2.5.29.14', // subject key identifier
  '2.5.29.15', // key usage
  '2.5.29.17', // subject alternative name
  '2.5.29.19', // basic constraints
  '2.5.29.32', // certificate policies
  '2.5.29.35', // authority key identifier
  '2.5.29.37', // extended key usage
])
/** They limit what an authority may sign; nobody here can check them, so such an authority signs nothing. */
const nameConstraints = '2.5.29.30'
const clientAuth = '1.3.6.1.5.5.7.3.2'
const anyUsage = '2.5.29.37.0'

/** Certificates as they came, the device's first; undefined: one of them is none. */
export function parseChain(chain: readonly Uint8Array[]): X509Certificate[] | undefined {
  try {
    return chain.slice(0, maxIntermediates + 2).map((raw) => new X509Certificate(raw))
  } catch {
    return undefined
  }
}

/**
 * Why the first certificate of the chain is not to be trusted as a device's whose authority is `authority`, or null: it
 * is. The rest of the chain is what else the client has sent; nothing of it is trusted by itself, and an authority
 * counts only if it is this very one, whether it is a root or not (RFC 5280, 6.1, without policies and names).
 */
export async function distrust(
  [leaf, ...others]: readonly X509Certificate[],
  authority: X509Certificate,
  now: number,
): Promise<string | null> {
  const parse = await loadParser()
  let current = leaf
  let wrong = leaf === undefined ? 'there is no certificate' : (weakness(parse, leaf, now) ?? wrongLeaf(leaf))
  const left = new Set(others)
  for (let between = 0; wrong === null; between++) {
    if (current.raw.equals(authority.raw)) return 'the certificate is the authority itself'
    if (isIssued(current, authority))
      return weakness(parse, authority, now) ?? wrongAuthority(parse, authority, between)
    const issuer = Array.from(left).find((one) => isIssued(current, one))
    if (issuer === undefined || between === maxIntermediates) return 'its chain does not end at the authority'
    left.delete(issuer)
    wrong = weakness(parse, issuer, now) ?? wrongAuthority(parse, issuer, between)
    current = issuer
  }
  return wrong
}

/** Why a certificate cannot be registered as an authority, or null. */
export async function unfitAuthority(certificate: X509Certificate, now: number): Promise<string | null> {
  const parse = await loadParser()
  return weakness(parse, certificate, now) ?? wrongAuthority(parse, certificate, 0)
}

function isIssued(certificate: X509Certificate, issuer: X509Certificate): boolean {
  // Names, key identifiers and key usage first; then the signature, which is what counts.
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}

function weakness(parse: Parser, certificate: X509Certificate, now: number): string | null {
  const { validFromDate, validToDate, publicKey, subject } = certificate
  const name = subject.split('\n').at(-1) ?? ''
  if (now < validFromDate.getTime()) return `"${name}" is not valid before ${validFromDate.toISOString()}`
  if (now > validToDate.getTime()) return `"${name}" has expired at ${validToDate.toISOString()}`
  const bits = publicKey.asymmetricKeyDetails?.modulusLength
  if (bits !== undefined && bits < minRsaBits) return `"${name}" has an RSA key of ${bits} bits`
  const parsed = parse(certificate.raw)
  const { name: algorithm, hash } = parsed.signatureAlgorithm as { name: string; hash?: { name?: string } }
  if (!/^Ed(25519|448|DSA)$/i.test(algorithm) && !/^SHA-(256|384|512)$/.test(hash?.name ?? ''))
    return `"${name}" has a weak signature`
  for (const { type, critical } of parsed.extensions) {
    if (type === nameConstraints) return `"${name}" has name constraints, which cannot be checked here`
    if (critical && !understood.has(type))
      return `"${name}" has a critical extension ${type} that is not known`
  }
  return null
}

function wrongLeaf(leaf: X509Certificate): string | null {
  const usages: readonly string[] | undefined = leaf.keyUsage
  if (leaf.ca) return 'an authority is no device'
  if (usages !== undefined && !usages.includes(clientAuth) && !usages.includes(anyUsage))
    return 'the certificate is not for clients (extended key usage)'
  return null
}

/** `below`: authorities between this one and the device. */
function wrongAuthority(parse: Parser, certificate: X509Certificate, below: number): string | null {
  if (!certificate.ca) return 'the issuer is no authority (basic constraints)'
  const constraints = parse(certificate.raw).getExtension('2.5.29.19') as { pathLength?: number } | null
  const { pathLength } = constraints ?? {}
  if (pathLength !== undefined && pathLength < below) return 'the chain is longer than its authority allows'
  return null
}
