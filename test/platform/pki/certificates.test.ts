import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { expect } from 'chai'
import { type CertificateFiles, type Certificates, makeCertificates } from '#platform/pki/certificates.ts'

describe('certificates of a cell', () => {
  let directory: string
  let made: Certificates

  before(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'cinque-pki-'))
    made = await makeCertificates({
      directory,
      requests: [
        { name: 'dc01-n1', dns: ['localhost', 'n1.dc01.example'], ips: ['127.0.0.1', '::1'] },
        { name: 'dc02-n1', ips: ['127.0.0.1'] },
      ],
    })
  })

  after(() => rmSync(directory, { recursive: true, force: true }))

  /** Connects a client with one certificate to a server with another; says what the client makes of it. */
  async function handshake(
    server: CertificateFiles,
    client: CertificateFiles | null,
    servername: string,
    caFile = made.caFile,
  ): Promise<string> {
    const ca = readFileSync(caFile)
    const pem = (files: CertificateFiles): { cert: Buffer; key: Buffer } => ({
      cert: readFileSync(files.certFile),
      key: readFileSync(files.keyFile),
    })
    const listener = createServer({ ...pem(server), ca, requestCert: true }, (socket) => {
      socket.on('error', () => undefined)
      socket.end('welcome')
    })
    listener.on('tlsClientError', () => undefined)
    await new Promise<void>((ready) => listener.listen(0, '127.0.0.1', ready))
    const { port } = listener.address() as AddressInfo
    const own = client === null ? {} : pem(client)
    const name = servername === '' ? { host: '127.0.0.1' } : { host: '127.0.0.1', servername }
    const said = await new Promise<string>((heard) => {
      const socket: TLSSocket = connect({ ...own, ...name, port, ca })
      socket.on('data', (data) => heard(data.toString()))
      socket.on('error', (error: NodeJS.ErrnoException) => heard(error.code ?? error.message))
    })
    listener.close()
    return said
  }

  it('serve both ends of a mutual handshake, by name and by address', async () => {
    const { 'dc01-n1': one, 'dc02-n1': two } = made.files
    expect(await handshake(one, two, 'n1.dc01.example')).to.equal('welcome')
    expect(await handshake(two, one, '')).to.equal('welcome')
  })

  it('are refused without one, and for another name', async () => {
    const { 'dc01-n1': one, 'dc02-n1': two } = made.files
    expect(await handshake(one, null, 'localhost')).to.match(/CERTIFICATE_REQUIRED|ECONNRESET/)
    expect(await handshake(two, one, 'localhost')).to.equal('ERR_TLS_CERT_ALTNAME_INVALID')
  })

  it('of a second call come from the same authority: a host can be added to a cell', async () => {
    const later = await makeCertificates({ directory, requests: [{ name: 'dc03-n1', dns: ['localhost'] }] })
    expect(await handshake(later.files['dc03-n1'], made.files['dc01-n1'], 'localhost')).to.equal('welcome')
  })

  it('keep their keys to their owner', () => {
    for (const file of ['ca.key', 'dc01-n1.key'])
      expect(statSync(path.join(directory, file)).mode & 0o777).to.equal(0o600)
  })

  it('are refused by who trusts another authority', async () => {
    const elsewhere = await makeCertificates({ directory: path.join(directory, 'other'), requests: [] })
    const { 'dc01-n1': one, 'dc02-n1': two } = made.files
    expect(await handshake(one, two, 'localhost', elsewhere.caFile)).to.match(/CERT|SIGNATURE|ECONNRESET/)
  })

  it('are not made from an authority that cannot be read: it would be lost', async () => {
    const broken = path.join(directory, 'broken')
    await makeCertificates({ directory: broken, requests: [] })
    writeFileSync(path.join(broken, 'ca.key'), 'nothing')
    let said = ''
    await makeCertificates({ directory: broken, requests: [] }).catch(
      (error: Error) => (said = error.message),
    )
    expect(said).to.match(
      /ca\.pem and .*ca\.key are not a certificate authority .*: remove both for a new one/,
    )
  })

  for (const [what, request, said] of [
    ['name that is a path', { name: '../x', dns: ['a'] }, 'name must be letters'],
    ['name of the authority', { name: 'ca', dns: ['a'] }, 'not "ca"'],
    ['request without names', { name: 'a' }, 'give at least one DNS name or IP address'],
    ['address that is none', { name: 'a', ips: ['1.2.3'] }, 'ips: "1.2.3" is not an IP address'],
    ['address among the names', { name: 'a', dns: ['1.2.3.4'] }, 'put it into ips'],
  ] as const)
    it(`refuses a ${what}`, async () => {
      let text = ''
      await makeCertificates({ directory, requests: [request] }).catch(
        (error: Error) => (text = error.message),
      )
      expect(text).to.include(said)
    })
})
