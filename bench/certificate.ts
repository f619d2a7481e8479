import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { PemConverter, X509CertificateGenerator } from '@peculiar/x509'
import { withDirectory } from './clean-up.ts'

const DAY_MS = 86_400_000

/** Calls `use` with PEM files of a self-signed certificate for 127.0.0.1 (ECDSA P-256, valid a day), removes them after. */
export async function withCertificate<T>(
  use: (tls: { cert: string; key: string }) => Promise<T>,
): Promise<T> {
  return withDirectory(async (directory) => {
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    const certificate = await X509CertificateGenerator.createSelfSigned(
      {
        name: 'CN=127.0.0.1',
        notBefore: new Date(Date.now() - DAY_MS),
        notAfter: new Date(Date.now() + DAY_MS),
        keys,
        signingAlgorithm: algorithm,
      },
      webcrypto,
    )
    const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
    const tls = { cert: path.join(directory, 'cert.pem'), key: path.join(directory, 'key.pem') }
    await writeFile(tls.cert, certificate.toString('pem'))
    await writeFile(tls.key, PemConverter.encode(pkcs8, 'PRIVATE KEY'))
    return use(tls)
  })
}
