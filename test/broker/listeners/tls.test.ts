import { once } from 'node:events'
import tls from 'node:tls'
import { X509Certificate } from 'node:crypto'
import { expect } from 'chai'
import { alternativeNames } from '#broker/listeners/certificate.ts'
import type { BrokerConfig } from '#broker/config.ts'
import { type Authority, type Identity, PemDirectory, makeAuthority } from './certificates.ts'
import { Harness, closed, read } from './harness.ts'
import { eventually } from '../../patience.ts'

type TlsConfig = NonNullable<BrokerConfig['tls']>

describe('TLS listener', () => {
  const files = new PemDirectory()
  let authority: Authority
  let stranger: Authority
  let server: Identity
  let config: TlsConfig
  let mutual: TlsConfig
  let harness: Harness

  before(async () => {
    authority = await makeAuthority('cinque test CA')
    stranger = await makeAuthority('another CA')
    server = await authority.server()
    config = {
      cert: files.write('server.pem', server.cert),
      key: files.write('server.key', server.key),
      client_certificate: 'none',
      identity: 'cn',
      min_version: 'TLSv1.2',
    }
    mutual = { ...config, client_certificate: 'required', ca: files.write('ca.pem', authority.cert) }
  })
  after(() => files.remove())
  beforeEach(() => (harness = new Harness()))
  afterEach(() => harness.close())

  const dial = (options: tls.ConnectionOptions = {}): tls.TLSSocket =>
    harness.keep(
      tls.connect({
        host: '127.0.0.1',
        port: harness.port,
        servername: 'localhost',
        ca: authority.cert,
        ...options,
      }),
    )

  it('carries bytes both ways', async () => {
    await harness.open('tls://127.0.0.1:0', { tls: config })
    const next = harness.next()
    const client = dial()
    const { stream, info, head } = await next
    expect(info).to.deep.equal({
      remoteAddress: '127.0.0.1',
      remotePort: client.localPort,
      listener: `tls://127.0.0.1:${harness.port}`,
      protocol: 'tls',
    })
    expect(head).to.equal(null)
    client.write('ping')
    expect((await read(stream, 4)).toString()).to.equal('ping')
    stream.write('pong')
    expect((await read(client, 4)).toString()).to.equal('pong')
  })

  it('refuses versions below min_version', async () => {
    await harness.open('tls://127.0.0.1:0', { tls: { ...config, min_version: 'TLSv1.3' } })
    await closed(dial({ maxVersion: 'TLSv1.2' }))
    await eventually('it is counted', () => harness.refused('tls_handshake') === 1)
    expect(harness.lines[0]).to.include({ event: 'connection.refused', address: '127.0.0.1' })
  })

  it('closes a client that speaks plain MQTT, and says so', async () => {
    await harness.open('tls://127.0.0.1:0', { tls: config })
    const client = await harness.dial()
    client.resume()
    client.write(Buffer.from('100c00044d5154540402003c0000', 'hex'))
    await closed(client)
    expect(harness.refused('tls_handshake')).to.equal(1)
    expect(harness.accepted).to.deep.equal([])
  })

  it('closes a client that does not finish its handshake in time', async () => {
    await harness.open('tls://127.0.0.1:0', { tls: config, connectTimeout: 0.1 })
    await closed(await harness.dial())
    expect([harness.refused('tls_timeout'), harness.refused('tls_handshake')]).to.deep.equal([1, 0])
  })

  it('leaves no time-out behind: a connection lives on after connectTimeout', async () => {
    await harness.open('tls://127.0.0.1:0', { tls: config, connectTimeout: 0.2 })
    const next = harness.next()
    const client = dial()
    const { stream } = await next
    await closed(await harness.dial())
    expect(harness.refused('tls_timeout')).to.equal(1)
    client.write('ping')
    expect((await read(stream, 4)).toString()).to.equal('ping')
  })

  describe('client certificates', () => {
    it('name the device: CN, DNS and URI names, fingerprint', async () => {
      const client = await authority.client('device-7', [
        { type: 'dns', value: 'device-7.acme.example' },
        { type: 'url', value: 'urn:acme:device:7' },
        { type: 'email', value: 'not@asked.example' },
      ])
      await harness.open('tls://127.0.0.1:0', { tls: mutual })
      const next = harness.next()
      dial(client)
      expect((await next).info.certificate).to.deep.equal({
        cn: 'device-7',
        sans: ['device-7.acme.example', 'urn:acme:device:7'],
        fingerprint: new X509Certificate(client.cert).fingerprint256.replaceAll(':', '').toLowerCase(),
      })
    })

    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      it(`are required where so configured (${version})`, async () => {
        await harness.open('tls://127.0.0.1:0', { tls: mutual })
        const client = dial({ maxVersion: version })
        client.resume()
        await closed(client)
        await eventually('it is counted', () => harness.refused('tls_certificate') === 1)
        expect(harness.lines[0]).to.include({ msg: 'the client showed no certificate' })
        expect(harness.accepted).to.deep.equal([])
      })

      for (const mode of ['required', 'optional'] as const) {
        it(`of another CA are refused (${mode}, ${version})`, async () => {
          await harness.open('tls://127.0.0.1:0', { tls: { ...mutual, client_certificate: mode } })
          const client = dial({ ...(await stranger.client('device-7')), maxVersion: version })
          client.resume()
          await closed(client)
          await eventually('it is counted', () => harness.refused('tls_certificate') === 1)
          expect(harness.lines).to.have.length(1)
          expect(harness.lines[0]['msg']).to.match(/^bad client certificate: UNABLE_TO_/)
          expect(harness.accepted).to.deep.equal([])
        })
      }
    }

    it('that have expired are refused', async () => {
      await harness.open('tls://127.0.0.1:0', { tls: mutual })
      const client = dial(await authority.client('old', [], { notAfter: new Date(Date.now() - 1000) }))
      client.resume()
      await closed(client)
      await eventually('it is counted', () => harness.refused('tls_certificate') === 1)
      expect(harness.lines[0]).to.include({ msg: 'bad client certificate: CERT_HAS_EXPIRED' })
    })

    it('of a server are refused: it could act as any device that it is named like', async () => {
      await harness.open('tls://127.0.0.1:0', { tls: mutual })
      const client = dial(server)
      client.resume()
      await closed(client)
      await eventually('it is counted', () => harness.refused('tls_certificate') === 1)
      expect(harness.lines[0]).to.include({ msg: 'bad client certificate: INVALID_PURPOSE' })
    })

    it('may be absent where they are optional', async () => {
      await harness.open('tls://127.0.0.1:0', { tls: { ...mutual, client_certificate: 'optional' } })
      const without = harness.next()
      dial()
      expect((await without).info).not.to.have.property('certificate')
      const having = harness.next()
      dial(await authority.client('device-7'))
      expect((await having).info.certificate).to.include({ cn: 'device-7' })
    })

    it('are still known when a session is resumed', async () => {
      await harness.open('tls://127.0.0.1:0', { tls: mutual })
      const client = await authority.client('device-7')
      const first = harness.next()
      const one = dial(client)
      const { stream } = await first
      const ticket = new Promise<Buffer>((resolve) => one.once('session', resolve))
      stream.write('x')
      one.resume()
      const session = await ticket
      const second = harness.next()
      const two = dial({ ...client, session })
      expect((await second).info.certificate).to.include({ cn: 'device-7' })
      expect(two.isSessionReused()).to.equal(true)
    })

    const names: [string, string[]][] = [
      ['', []],
      ['DNS:a.example', ['a.example']],
      ['DNS:a.example, URI:urn:x:y, email:me@a.example, IP Address:192.0.2.1', ['a.example', 'urn:x:y']],
      ['DNS:"a, DNS:admin"', ['a, DNS:admin']],
      ['URI:"urn:\\"q\\"", DNS:b', ['urn:"q"', 'b']],
      ['othername:"x, DNS:admin", DNS:b', ['b']],
      ['DNS:a, garbage', []],
      ['DNS:"a', []],
    ]
    for (const [text, expected] of names)
      it(`can not smuggle a name: ${text || 'none'}`, () =>
        expect(alternativeNames(text)).to.deep.equal(expected))
  })

  describe('reload', () => {
    const shown = async (): Promise<string> => {
      const client = dial({ rejectUnauthorized: false })
      await once(client, 'secureConnect')
      const { subject } = client.getPeerCertificate()
      client.destroy()
      return String(subject.CN)
    }
    let changing: TlsConfig

    beforeEach(async () => {
      const old = await authority.server('old')
      changing = {
        ...config,
        cert: files.write('changing.pem', old.cert),
        key: files.write('changing.key', old.key),
      }
    })

    it('shows the new certificate to new connections while open ones go on', async () => {
      const listener = await harness.open('tls://127.0.0.1:0', { tls: changing })
      const next = harness.next()
      const client = dial()
      const { stream } = await next
      const renewed = await authority.server('new')
      files.write('changing.pem', renewed.cert)
      files.write('changing.key', renewed.key)
      listener.reload?.()
      expect(await shown()).to.equal('new')
      client.write('still here')
      expect((await read(stream, 10)).toString()).to.equal('still here')
    })

    it('happens by itself when the files change', async () => {
      await harness.open('tls://127.0.0.1:0', { tls: changing })
      const renewed = await authority.server('new')
      files.write('changing.key', renewed.key)
      files.write('changing.pem', renewed.cert)
      await eventually('it is logged', () =>
        harness.lines.some((line) => line['event'] === 'certificate.reloaded'),
      )
      expect(await shown()).to.equal('new')
    })

    it('keeps the old certificate if the new one is bad, and says so', async () => {
      const listener = await harness.open('tls://127.0.0.1:0', { tls: changing })
      files.write('changing.pem', (await authority.server('new')).cert)
      expect(() => listener.reload?.()).to.throw(/changing\.key does not belong to the certificate/)
      expect(await shown()).to.equal('old')
      await eventually('it is logged', () =>
        harness.lines.some((line) => line['event'] === 'certificate.kept'),
      )
      expect(await shown()).to.equal('old')
    })

    it('no longer trusts a client CA that was taken away, not even for resumed sessions', async () => {
      const ca = files.write('changing-ca.pem', authority.cert)
      const listener = await harness.open('tls://127.0.0.1:0', { tls: { ...mutual, ca } })
      const identity = await authority.client('device-7')
      const next = harness.next()
      const one = dial(identity)
      const { stream } = await next
      const ticket = new Promise<Buffer>((resolve) => one.once('session', resolve))
      stream.write('x')
      one.resume()
      const session = await ticket
      files.write('changing-ca.pem', stranger.cert)
      listener.reload?.()
      const two = dial({ ...identity, session })
      two.resume()
      await closed(two)
      await eventually('it is counted', () => harness.refused('tls_certificate') === 1)
      expect(harness.accepted).to.have.length(1)
    })
  })

  describe('bad configuration', () => {
    const fails = async (settings: TlsConfig | undefined, message: RegExp): Promise<void> => {
      const error: unknown = await harness
        .open('tls://127.0.0.1:0', { tls: settings })
        .catch((reason: unknown) => reason)
      expect(error).to.be.instanceOf(Error)
      const text = error instanceof Error ? error.message : ''
      expect(text)
        .to.match(message)
        .and.match(/^listener tls:\/\/127\.0\.0\.1:0: /)
        .and.not.include('\n')
    }

    it('without a certificate', () => fails(undefined, /set tls\.cert and tls\.key to PEM files/))
    it('with a missing file', () =>
      fails({ ...config, cert: '/nonexistent.pem' }, /tls\.cert \/nonexistent\.pem cannot be read.*ENOENT/))
    it('with a key of another certificate', async () =>
      fails(
        { ...config, key: files.write('other.key', (await authority.server()).key) },
        /tls\.key .* does not belong to/,
      ))
    it('with a certificate that is none', () =>
      fails(
        { ...config, cert: files.write('no.pem', 'hello') },
        /tls\.cert .*no\.pem holds no PEM certificate/,
      ))
    it('with a key that is none', () =>
      fails(
        { ...config, key: files.write('no.key', 'hello') },
        /tls\.key .*no\.key is not a usable PEM private key/,
      ))
    it('with client certificates but no CA', () =>
      fails({ ...config, client_certificate: 'required' }, /tls\.ca must name the CAs/))
    it('with a CA that is none', () =>
      fails({ ...mutual, ca: files.write('no-ca.pem', 'hello') }, /tls\.ca .* holds no PEM certificate/))

    it('warns of an expired certificate', async () => {
      const expired = await authority.client('expired', [], { notAfter: new Date(Date.now() - 1000) })
      await harness.open('tls://127.0.0.1:0', {
        tls: {
          ...config,
          cert: files.write('expired.pem', expired.cert),
          key: files.write('expired.key', expired.key),
        },
      })
      expect(harness.lines[0]).to.include({ event: 'certificate.expired', level: 40 })
    })
  })

  describe('behind a PROXY header', () => {
    const HEADER = 'PROXY TCP4 192.0.2.1 198.51.100.1 4660 8883\r\n'

    for (const together of [true, false])
      it(`names the client, its handshake in ${together ? 'the same segment' : 'a later segment'}`, async () => {
        await harness.open('tls://127.0.0.1:0?proxy=1', { tls: mutual })
        const port = await harness.proxy(HEADER, together)
        const next = harness.next()
        const client = dial({ port, ...(await authority.client('device-7')) })
        const { stream, info } = await next
        expect([info.remoteAddress, info.remotePort, info.certificate?.cn]).to.deep.equal([
          '192.0.2.1',
          4660,
          'device-7',
        ])
        client.write('ping')
        expect((await read(stream, 4)).toString()).to.equal('ping')
      })

    it('logs a failed handshake under the client, not the proxy', async () => {
      await harness.open('tls://127.0.0.1:0?proxy=1', { tls: mutual })
      const port = await harness.proxy(HEADER, true)
      const client = dial({ port, ...(await stranger.client('x')) })
      client.resume()
      await closed(client)
      await eventually('it is counted', () => harness.refused('tls_certificate') === 1)
      expect(harness.lines[0]).to.include({ address: '192.0.2.1' })
    })
  })
})
