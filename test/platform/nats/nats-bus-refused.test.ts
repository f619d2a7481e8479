import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'
import { Metrics } from '#platform/metrics.ts'
import { type NatsBusOptions, openNatsBus } from '#platform/nats/nats-bus.ts'
import { startNatsServer } from '#platform/nats/server/process.ts'
import { makeCertificates } from '#platform/pki/certificates.ts'
import { Lines, Mesh, newUser } from './mesh.ts'

/** What a person who configured something wrong reads: one line, once, that says where and what to do. */
describe('bus on NATS, configured wrong', () => {
  let mesh: Mesh
  let plain: { address: string; stop(): Promise<void> }
  const stranger = newUser()

  before(async function () {
    this.timeout(600_000)
    mesh = await Mesh.start(1)
    plain = await startPlain(mesh)
  })

  after(async () => {
    await plain.stop()
    await mesh.remove()
  })

  /** Opens a bus that is given what is wrong with it, and says what it logs until it has tried twice. */
  async function complaint(wrong: Partial<NatsBusOptions>): Promise<string[]> {
    const lines = new Lines()
    const bus = await openNatsBus({
      servers: [mesh.address(0)],
      address: 'a',
      tls: { caFile: mesh.caFile },
      nkeySeed: mesh.user.seed,
      log: lines.log,
      metrics: new Metrics(),
      ...wrong,
    })
    expect(bus.connected).to.equal(false)
    await bus.close()
    return lines.all.map((line) => line.msg)
  }

  it('nkey that the server does not know', async () => {
    expect(await complaint({ nkeySeed: stranger.seed })).to.deep.equal([
      `nats-server ${mesh.address(0)}: does not know this nkey: ` +
        `add its public key ${stranger.publicKey} to the server's users`,
    ])
  })

  it('no nkey where one is wanted', async () => {
    const { nkeySeed: _, ...options } = { ...base(mesh) }
    const lines = new Lines()
    const bus = await openNatsBus({ ...options, log: lines.log })
    await bus.close()
    expect(lines.all.map((line) => line.msg)).to.deep.equal([
      `nats-server ${mesh.address(0)}: wants an nkey: give the seed of one of its users`,
    ])
  })

  it('authority that did not make the certificate of the server', async () => {
    const directory = path.join(mesh.directory, 'other-pki')
    const { caFile } = await makeCertificates({ directory, requests: [] })
    expect(await complaint({ tls: { caFile } })).to.deep.equal([
      `nats-server ${mesh.address(0)}: its certificate is not from the authority in ${caFile}`,
    ])
  })

  it('authority that is not there', async () => {
    const caFile = path.join(mesh.directory, 'nowhere.pem')
    expect(await complaint({ tls: { caFile } })).to.deep.equal([
      `nats-server ${mesh.address(0)}: tls.caFile: ${caFile} doesn't exist`,
    ])
  })

  it('no authority for a server with TLS', async () => {
    const { tls: _, ...options } = { ...base(mesh) }
    const lines = new Lines()
    const bus = await openNatsBus({ ...options, log: lines.log })
    await bus.close()
    expect(lines.all.map((line) => line.msg)).to.deep.equal([
      `nats-server ${mesh.address(0)}: wants TLS: give the file of its certificate authority (tls.caFile)`,
    ])
  })

  it('TLS asked of a server that has none', async () => {
    expect(await complaint({ servers: [plain.address] })).to.deep.equal([
      `nats-server ${plain.address}: has no TLS, but tls is asked for`,
    ])
  })

  it('address for which the certificate is not', async () => {
    const port = mesh.address(0).split(':')[1]
    const host = mesh.ip(0)
    const [said] = await complaint({ servers: [`[::ffff:${host}]:${port}`] })
    expect(said).to.match(/: its certificate is not for this name or address \(/)
  })

  it('subject prefix that the server does not allow', async () => {
    expect(await complaint({ subjectPrefix: 'other' })).to.deep.equal([
      `nats-server ${mesh.address(0)}: does not let this user subscribe to "other.n.a": ` +
        'compare its permissions with the subject prefix',
    ])
  })

  it('no server there', async () => {
    const nobody = `${mesh.ip(0)}:4223`
    expect(await complaint({ servers: [nobody] })).to.deep.equal([
      `nats-server ${nobody}: nothing listens there`,
    ])
  })

  it('host name without an address', async () => {
    expect(await complaint({ servers: ['no-such-host.invalid:4222'] })).to.deep.equal([
      'nats-server no-such-host.invalid:4222: the name has no address',
    ])
  })

  for (const [what, wrong, text] of [
    ['no servers', { servers: [] }, 'bus: servers: give host:port of a nats-server'],
    ['a server without port', { servers: ['host'] }, 'bus: servers: "host" must be host:port'],
    [
      'an address with a dot',
      { address: 'a.b' },
      'bus: address: "a.b" must be 1 to 64 letters, digits, _ and -',
    ],
    [
      'a public key for a seed',
      { nkeySeed: stranger.publicKey },
      'bus: nkeySeed: is not the seed of an nkey',
    ],
    ['a prefix with a wildcard', { subjectPrefix: 'a.>' }, 'bus: subjectPrefix: "a.>" must be letters'],
  ] as const)
    it(what, async () => {
      let said = ''
      await openNatsBus({ ...base(mesh), ...wrong }).catch((error: Error) => (said = error.message))
      expect(said).to.include(text)
    })
})

function base(mesh: Mesh): NatsBusOptions {
  return {
    servers: [mesh.address(0)],
    address: 'a',
    tls: { caFile: mesh.caFile },
    nkeySeed: mesh.user.seed,
    log: new Lines().log,
    metrics: new Metrics(),
  }
}

async function startPlain(mesh: Mesh): Promise<{ address: string; stop(): Promise<void> }> {
  const address = `${mesh.ip(0)}:4224`
  const configFile = path.join(mesh.directory, 'plain.conf')
  writeFileSync(configFile, `listen: "${address}"\n`)
  const logFile = path.join(mesh.directory, 'plain.log')
  const server = await startNatsServer({ binary: mesh.binary, configFile, logFile })
  return { address, stop: () => server.stop() }
}
