import 'reflect-metadata'
import { sign, webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const dayMs = 86_400_000

/** A certificate with its key, as PEM, that can issue others. */
export interface Made {
  readonly cert: string
  readonly key: string
  readonly raw: Uint8Array
  readonly keys: webcrypto.CryptoKeyPair
  /** What it signs, base64. */
  sign(text: string): string
}

export interface MakeOptions {
  readonly cn: string
  /** Absent: it signs itself. */
  readonly by?: Made | undefined
  readonly ca?: boolean | undefined
  readonly pathLength?: number | undefined
  readonly from?: Date | undefined
  readonly until?: Date | undefined
  readonly usage?: x509.ExtendedKeyUsage | undefined
  readonly hash?: 'SHA-1' | 'SHA-256' | undefined
  readonly more?: readonly x509.Extension[] | undefined
  readonly sans?: x509.JsonGeneralNames | undefined
  readonly keys?: webcrypto.CryptoKeyPair | undefined
}

export async function make(options: MakeOptions): Promise<Made> {
  const keys = options.keys ?? (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']))
  const issuer = options.by === undefined ? null : new x509.X509Certificate(options.by.cert)
  const signing = { ...algorithm, hash: options.hash ?? 'SHA-256' }
  const { ca = false, pathLength, usage, sans = [], more = [] } = options
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${options.cn}`,
    issuer: issuer?.subject ?? `CN=${options.cn}`,
    publicKey: keys.publicKey,
    signingKey: options.by?.keys.privateKey ?? keys.privateKey,
    signingAlgorithm: signing,
    notBefore: options.from ?? new Date(Date.now() - dayMs),
    notAfter: options.until ?? new Date(Date.now() + dayMs),
    extensions: [
      ...(ca ? [new x509.BasicConstraintsExtension(true, pathLength, true)] : []),
      ...(usage === undefined ? [] : [new x509.ExtendedKeyUsageExtension([usage])]),
      ...(sans.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(sans)]),
      ...more,
    ],
  })
  const der = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  const key = x509.PemConverter.encode(der, 'PRIVATE KEY')
  return {
    cert: certificate.toString('pem'),
    key,
    raw: new Uint8Array(certificate.rawData),
    keys,
    sign: (text) => sign('sha256', Buffer.from(text), key).toString('base64'),
  }
}
