import type { DetailedPeerCertificate, PeerCertificate } from 'node:tls'
import type { ConnectionInfo } from './transport.ts'

/** Who a verified client certificate names. `fingerprint` is its SHA-256 in lower-case hex. */
export function certificateIdentity(
  certificate: PeerCertificate,
): NonNullable<ConnectionInfo['certificate']> {
  // several CNs come as an array; the first one is what OpenSSL and mosquitto call the CN
  const cn: unknown = certificate.subject?.CN
  const first: unknown = Array.isArray(cn) ? cn[0] : cn
  return {
    cn: typeof first === 'string' ? first : '',
    sans: alternativeNames(certificate.subjectaltname ?? ''),
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
  }
}

/** The certificates that a client has sent (DER), its own first. Nothing of them is verified by that. */
export function chainOf(certificate: DetailedPeerCertificate): Uint8Array[] {
  const chain: Uint8Array[] = []
  let next: DetailedPeerCertificate | undefined = certificate
  // The last one names itself as its issuer.
  while (next?.raw !== undefined && chain.length < MAX_CHAIN && !chain.some((raw) => next?.raw.equals(raw))) {
    chain.push(next.raw)
    next = next.issuerCertificate
  }
  return chain
}

/** More are not looked at. */
const MAX_CHAIN = 8

/**
 * The DNS and URI names of Node's `subjectaltname`: `DNS:a.example, URI:urn:b`. A name with special characters stands
 * there as a JSON string, so that `DNS:"x, DNS:admin"` stays one name (CVE-2021-44532).
 */
export function alternativeNames(text: string): string[] {
  const names: string[] = []
  const one = /\s*([^:,"]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:,|$)/y
  while (one.lastIndex < text.length) {
    const found = one.exec(text)
    // what we can't read names nobody
    if (found === null) return []
    const [, type, value] = found
    if (type !== 'DNS' && type !== 'URI') continue
    const name: unknown = value.startsWith('"') ? JSON.parse(value) : value
    if (typeof name === 'string') names.push(name)
  }
  return names
}
