import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { createLogger } from '#platform/log.ts'
import { ensureNatsServer } from '#platform/nats/server/engine.ts'
import { takesClients } from '#platform/nats/server/probe.ts'
import { type NatsServer, startNatsServer } from '#platform/nats/server/process.ts'
import { Mesh } from '../mesh.ts'

describe('process of nats-server', () => {
  let binary: string
  let directory: string
  let mesh: Mesh
  const started: NatsServer[] = []

  before(async function () {
    this.timeout(600_000)
    binary = await ensureNatsServer({ log: createLogger({ level: 'warn' }) })
    directory = mkdtempSync(path.join(tmpdir(), 'cinque-nats-'))
    // For an address that nobody else uses.
    mesh = await Mesh.prepare(1)
  })

  after(async () => {
    await mesh.remove()
    rmSync(directory, { recursive: true, force: true })
  })

  function start(
    config: string,
    more: { binary?: string; spawnPrefix?: string[] } = {},
  ): Promise<NatsServer> {
    const configFile = path.join(directory, 'nats.conf')
    writeFileSync(configFile, config)
    const starting = startNatsServer({
      binary,
      configFile,
      logFile: path.join(directory, 'nats.log'),
      ...more,
    })
    starting.then(
      (server) => started.push(server),
      () => undefined,
    )
    return starting
  }

  /** Also those of a test that failed half way. */
  afterEach(() => Promise.all(started.splice(0).map((server) => server.kill())))

  async function failure(starting: Promise<NatsServer>): Promise<string> {
    try {
      await (await starting).kill()
    } catch (error) {
      return (error as Error).message
    }
    return 'it started'
  }

  it('takes clients when it is there, and none after its end', async () => {
    const server = await start(`listen: "${mesh.address(0)}"`)
    expect(await takesClients(mesh.address(0), 1000)).to.equal(true)
    server.pause()
    // Its threads stop one after the other.
    while (await takesClients(mesh.address(0), 100)) expect(server.pid).to.be.greaterThan(0)
    await server.stop()
    expect(await takesClients(mesh.address(0), 1000)).to.equal(false)
  })

  it('takes no more clients when it has been asked to go', async () => {
    const server = await start(`listen: "${mesh.address(0)}", lame_duck_grace_period: "1s"`)
    server.lameDuck()
    const deadline = Date.now() + 900
    while (await takesClients(mesh.address(0), 1000)) expect(Date.now()).to.be.lessThan(deadline)
    await server.ended
  })

  it('starts behind a command that sets up its surroundings', async () => {
    const server = await start(`listen: "${mesh.address(0)}"`, { spawnPrefix: ['env', 'CELL=test'] })
    expect(readFileSync(`/proc/${server.pid}/environ`, 'utf8')).to.include('CELL=test')
    expect(readFileSync(`/proc/${server.pid}/cmdline`, 'utf8')).to.include('nats-server')
    await server.kill()
  })

  it('says what the server does not like in its configuration', async () => {
    expect(await failure(start('listen: "127.0.0.1:4222"\nno_such_field: 1'))).to.equal(
      `nats-server ended: ${directory}/nats.conf:2:1: unknown field "no_such_field"`,
    )
    expect(await failure(start('listen {'))).to.match(/^nats-server ended: Parse error on line 1/)
  })

  it('says that the address is taken', async () => {
    const first = await start(`listen: "${mesh.address(0)}"`)
    expect(await failure(start(`listen: "${mesh.address(0)}"`))).to.match(
      new RegExp(`^nats-server ended: Error listening on port: ${mesh.address(0)}.*address already in use`),
    )
    await first.kill()
  })

  it('says that there is no such program', async () => {
    expect(await failure(start('', { binary: '/no/such/nats-server' }))).to.equal(
      'nats-server could not be started: spawn /no/such/nats-server ENOENT',
    )
  })
})
