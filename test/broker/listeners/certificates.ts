import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'

/** Certificates made in code, so that the tests need no openssl. P-256, valid for a day. */
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const DAY_MS = 86_400_000

export interface Identity {
  readonly cert: string
  readonly key: string
}

export interface Authority extends Identity {
  /** A server certificate for localhost and 127.0.0.1. */
  server(name?: string): Promise<Identity>
  client(cn: string, sans?: x509.JsonGeneralNames, options?: { notAfter?: Date }): Promise<Identity>
}

export async function makeAuthority(name: string): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + DAY_MS),
    extensions: [new x509.BasicConstraintsExtension(true, 1, true)],
  })
  const issue = async (
    subject: string,
    sans: x509.JsonGeneralNames,
    usage: x509.ExtendedKeyUsage,
    notAfter = new Date(Date.now() + DAY_MS),
  ): Promise<Identity> => {
    const own = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
    const certificate = await x509.X509CertificateGenerator.create({
      subject: [{ CN: [subject] }],
      issuer: root.subject,
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: ALGORITHM,
      notBefore: new Date(Date.now() - 2 * DAY_MS),
      notAfter,
      extensions: [
        new x509.ExtendedKeyUsageExtension([usage]),
        ...(sans.length > 0 ? [new x509.SubjectAlternativeNameExtension(sans)] : []),
      ],
    })
    return { cert: certificate.toString('pem'), key: await keyPem(own.privateKey) }
  }
  return {
    cert: root.toString('pem'),
    key: await keyPem(keys.privateKey),
    server: (server = 'localhost') =>
      issue(
        server,
        [
          { type: 'dns', value: 'localhost' },
          { type: 'ip', value: '127.0.0.1' },
        ],
        x509.ExtendedKeyUsage.serverAuth,
      ),
    client: (cn, sans = [], options = {}) =>
      issue(cn, sans, x509.ExtendedKeyUsage.clientAuth, options.notAfter),
  }
}

/** A directory of its own for PEM files. */
export class PemDirectory {
  readonly path = mkdtempSync(join(tmpdir(), 'cinque-tls-'))

  write(name: string, pem: string): string {
    const file = join(this.path, name)
    writeFileSync(file, pem)
    return file
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey('pkcs8', key)
  return x509.PemConverter.encode(der, 'PRIVATE KEY')
}
