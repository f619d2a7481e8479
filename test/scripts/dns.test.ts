import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import {
  ChangeResourceRecordSetsCommand,
  CreateHostedZoneCommand,
  ListHealthChecksCommand,
  ListResourceRecordSetsCommand,
  type ResourceRecordSet,
  Route53Client,
} from '@aws-sdk/client-route-53'
import { expect } from 'chai'
import { runHere } from './cli-runner.ts'
import { type Child, cinque, cleanEnv, type Finished, temporaryFolder } from './child.ts'
import { ensureMoto, type Moto, motoCredentials, startMoto } from '../healthcheck/dns/route53/moto.ts'

const zoneName = 'iot.example.org'
const secret = 'a-secret-of-the-paths'
const inventory = (more: { weight?: number; ttl?: number } = {}): string => `
cell: seed
dcs:
  - { name: dc01, number: 1, place: Montreal, location: [45.5, -73.6], kind: live, replicas: 1 }
  - { name: dc03, number: 3, place: Nürnberg, location: [49.5, 11.1], kind: live, replicas: 1 }
  - { name: dcb1, number: 4, place: London, location: [51.5, -0.1], kind: backup, replicas: 1 }
hosts:
  - { name: dc01-app1, dc: dc01, roles: [app, db, checker], address: 192.0.2.21, weight: ${more.weight ?? 10} }
  - { name: dc01-app2, dc: dc01, roles: [app], address: 192.0.2.22 }
  - { name: dc03-app1, dc: dc03, roles: [app, db, checker], address: 203.0.113.21 }
  - { name: dcb1-app1, dc: dcb1, roles: [app, db, checker], address: 203.0.113.121 }
health: { quorum: 2 }
dns:
  zone: ${zoneName}
  names: [mqtt]
  ttl: ${more.ttl ?? 60}
  regions:
    - { name: eu, continents: [EU], chain: [dc03, dc01, dcb1] }
    - { name: all, default: true, chain: [dc01, dc03, dcb1] }
`

describe('cinque dns', function () {
  this.timeout(60_000)
  let moto: Moto
  let client: Route53Client
  let zone: string
  let folder: ReturnType<typeof temporaryFolder>
  let file: string
  const children = new Set<Child>()

  const environment = { ...process.env }

  before(async function () {
    this.timeout(300_000)
    await ensureMoto()
    process.env = cleanEnv({ ...motoCredentials, AWS_EC2_METADATA_DISABLED: 'true' })
    moto = await startMoto()
  })
  after(async () => {
    process.env = environment
    await moto.stop()
  })
  beforeEach(async () => {
    await fetch(`${moto.endpoint}/moto-api/reset`, { method: 'POST' })
    client = new Route53Client({
      region: 'us-east-1',
      endpoint: moto.endpoint,
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    })
    const made = await client.send(new CreateHostedZoneCommand({ Name: zoneName, CallerReference: zoneName }))
    zone = made.HostedZone?.Id?.replace('/hostedzone/', '') ?? ''
    folder = temporaryFolder()
    file = join(folder.path, 'cell.yaml')
    writeFileSync(file, inventory())
    writeFileSync(join(folder.path, 'secret'), `${secret}\n`)
  })
  afterEach(async () => {
    await Promise.all([...children].map((child) => child.end('SIGKILL')))
    children.clear()
    client.destroy()
    folder.remove()
  })

  const argsOf = (verb: string, args: readonly string[]): string[] => [
    'dns',
    verb,
    '--inventory',
    file,
    '--secret-file',
    join(folder.path, 'secret'),
    '--endpoint',
    moto.endpoint,
    ...args,
  ]
  /** In a process of its own, which has no terminal. */
  const start = (verb: string, args: readonly string[], env: Record<string, string> = {}): Child => {
    const child = cinque(argsOf(verb, args), { cwd: folder.path, env: cleanEnv({ CI: '', ...env }) })
    children.add(child)
    return child
  }
  const dns = (verb: string, ...args: string[]): Promise<Finished> => runHere(...argsOf(verb, args))
  const apply = (...args: string[]): Promise<Finished> => dns('apply', '--yes', '--settle', '0', ...args)
  const records = async (): Promise<ResourceRecordSet[]> =>
    (await client.send(new ListResourceRecordSetsCommand({ HostedZoneId: zone, MaxItems: 300 })))
      .ResourceRecordSets ?? []
  const change = async (...changes: ['CREATE' | 'UPSERT' | 'DELETE', ResourceRecordSet][]): Promise<void> => {
    const Changes = changes.map(([Action, record]) => ({ Action, ResourceRecordSet: record }))
    await client.send(new ChangeResourceRecordSetsCommand({ HostedZoneId: zone, ChangeBatch: { Changes } }))
  }
  const checkCount = async (): Promise<number> =>
    (await client.send(new ListHealthChecksCommand({}))).HealthChecks?.length ?? 0
  const www: ResourceRecordSet = {
    Name: `www.${zoneName}.`,
    Type: 'A',
    TTL: 300,
    ResourceRecords: [{ Value: '192.0.2.200' }],
  }

  it('plans, applies, and then has nothing to do; what is not ours stays', async () => {
    await change(['CREATE', www])
    const plan = await dns('plan')
    expect(plan).to.include({ code: 0, stderr: '' })
    expect(plan.stdout).to.match(/^records: \d+ to create, 0 to change, 0 to delete$/m)
    expect(plan.stdout).to.include('health checks: 12 to create')
    expect(plan.stdout).to.include('+ dc01@dc03-app1  http 203.0.113.21:8053/hc/.../dc01/down')
    expect(plan.stdout).not.to.include(secret)
    expect(await start('plan', ['--check']).end()).to.include({ code: 1 })

    const applied = await apply()
    expect(applied).to.include({ code: 0, stderr: '' })
    expect(applied.stdout).to.match(/\nchanged iot\.example\.org: \d+ changes in batch 1 of 1\n/)
    expect(applied.stdout).to.match(/\ndone: all name servers of Route 53 have it\n$/)
    const again = await start('plan', ['--check', '--json']).end()
    expect(again).to.include({ code: 0, stderr: '' })
    expect(JSON.parse(again.stdout)).to.include({ names: 0, tags: 0, percent: 0 })
    expect((await records()).find(({ Name }) => Name === www.Name)).to.deep.equal(www)

    const status = await dns('status', '--queries', '2')
    expect(status.stdout).to.include('\nas the inventory says\n')
    expect(status.stdout).to.match(/^dc01 +\w+ +\d of 3 say down, 2 take it out$/m)
    expect(status.stdout).to.include(
      'cost: USD 8.65 a month for the zone, 9 endpoint checks and 3 calculated ones (first 50 free), with 2 million queries',
    )
  })

  it('repairs what somebody changed by hand', async () => {
    await apply()
    const host = (await records()).find(({ Name }) => Name === `dc03-app1.${zoneName}.`)
    const step = (await records()).find(({ SetIdentifier }) => SetIdentifier === '1.eu._chain _next')
    await change(
      ['UPSERT', { ...host, ResourceRecords: [{ Value: '192.0.2.99' }] } as ResourceRecordSet],
      ['DELETE', step as ResourceRecordSet],
    )
    const plan = await dns('plan')
    expect(plan.stdout).to.include(
      `~ dc03-app1.${zoneName} A  192.0.2.99, 60 s => 203.0.113.21, 60 s  [changed by hand]`,
    )
    expect((await dns('status')).stdout).to.include('2 names changed by hand\n')
    expect(await apply()).to.include({ code: 0, stderr: '' })
    expect((await records()).find(({ Name }) => Name === host?.Name)).to.deep.equal(host)
    expect((await dns('plan')).stdout).to.include('nothing to do')
  })

  it('takes a DC out of the zone that is not in the inventory any more', async () => {
    await apply()
    const without = inventory()
      .split('\n')
      .filter((line) => !/name: dcb1/.test(line))
      .join('\n')
      .replaceAll(', dcb1', '')
    writeFileSync(file, without)
    const { stdout } = await dns('plan')
    const percent = /needs --force (\d+)/.exec(stdout)?.[1] ?? ''
    expect(stdout).to.match(/^ {2}- dcb1@dc01-app1 {2}not needed any more$/m)
    expect(await apply('--force', percent)).to.include({ code: 0, stderr: '' })
    expect((await dns('plan')).stdout).to.include('nothing to do')
    expect((await records()).filter(({ Name = '' }) => Name.includes('dcb1'))).to.deep.equal([])
    expect(await checkCount()).to.equal(6)
  })

  it('refuses names that are someone else’s, and takes them over by --adopt', async () => {
    const theirs = { ...www, Name: `mqtt.${zoneName}.` }
    await change(['CREATE', www], ['CREATE', theirs])
    const before = await records()
    const refused = await apply()
    expect(refused).to.include({
      code: 1,
      stderr:
        `cinque: someone else's records are where ours must be: mqtt.${zoneName} A\n` +
        '  Remove them, choose other names (dns.names of the inventory), or take them over with --adopt: they are replaced.\n',
    })
    expect(await records()).to.deep.equal(before)
    expect(await checkCount()).to.equal(0)
    expect(await apply('--adopt')).to.include({ code: 0 })
    expect((await dns('plan')).stdout).to.include('nothing to do')
    expect((await records()).filter(({ Name }) => Name === www.Name)).to.deep.equal([www])
  })

  it('goes on where a run was killed', async () => {
    const killed = start('apply', ['--yes', '--settle', '0'])
    await killed.said(/created check dc03@dc01-app1\n/)
    expect((await killed.end('SIGKILL')).code).to.equal(null)
    expect((await records()).map(({ Type }) => Type)).to.have.members(['NS', 'SOA'])
    const made = await checkCount()
    expect(made).to.be.within(1, 12)
    expect(await apply()).to.include({ code: 0 })
    expect(await checkCount()).to.equal(12)
    expect((await dns('plan')).stdout).to.include('nothing to do')
  })

  it('changes nothing when nobody is there to be asked, and much only by a typed percent', async () => {
    const dry = await start('apply', [], { CI: 'true' }).end()
    expect(dry.stdout).to.match(/\nnothing was changed: a dry run, as CI is set; --yes applies it\n$/)
    expect((await start('apply', []).end()).stdout).to.include('as there is no terminal to ask at')
    expect(await records()).to.have.length(2)
    await apply()
    writeFileSync(file, inventory({ ttl: 30 }))
    const refused = await apply()
    const percent = /^cinque: (\d+) % of what is ours would change/.exec(refused.stderr)?.[1] ?? ''
    expect(Number(percent)).to.be.greaterThan(30)
    expect(refused).to.include({ code: 1 })
    expect((await apply('--force', '31')).stderr).to.include(`the plan changes ${percent} % of what is ours`)
    expect(await apply('--force', percent)).to.include({ code: 0 })
    writeFileSync(file, inventory({ ttl: 30, weight: 5 }))
    expect(await apply()).to.include({ code: 0 })
  })

  it('says in a line what is wrong with the account, the zone or the inventory, and what to do', async () => {
    const failure = async (args: string[]): Promise<string> => (await dns('plan', ...args)).stderr
    const files = { AWS_SHARED_CREDENTIALS_FILE: '/none', AWS_CONFIG_FILE: '/none' }
    const none = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', ...files }
    expect((await start('plan', [], none).end()).stderr).to.match(
      /^cinque: no AWS credentials: .*\n {2}Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE\..*\n$/,
    )
    expect(await failure(['--zone-id', zoneName])).to.match(
      /^cinque: --zone-id iot\.example\.org: is no id of a hosted zone, .*\n {2}Leave it out: .*\n$/,
    )
    expect(await failure(['--zone-id', 'Z0ABSENT'])).to.match(
      /there is no such hosted zone in this account\n/,
    )
    expect(await failure(['--endpoint', 'http://127.0.0.1:1'])).to.match(
      /^cinque: Route 53's API can't be reached: ECONNREFUSED\n {2}Names are answered all the same, /,
    )
    writeFileSync(join(folder.path, 'secret'), 'short\n')
    expect(await failure([])).to.match(/^cinque: --secret-file .*: must hold 16 to 128 of /)
    writeFileSync(join(folder.path, 'secret'), secret)
    writeFileSync(file, inventory().replaceAll(zoneName, 'sub.iot.example.org'))
    expect(await failure([])).to.match(
      /^cinque: there is no hosted zone sub\.iot\.example\.org, but one above it: iot\.example\.org \(\w+\)\n {2}To put the names there: --zone-id /,
    )
    expect((await dns('plan', '--zone-id', zone)).code).to.equal(0)
    writeFileSync(file, inventory().replaceAll('203.0.113.121', '10.0.0.1'))
    expect(await failure([])).to.match(/^cinque: check dc01@dcb1-app1: 10\.0\.0\.1 is a private address, /)
  })

  it('says who gets which address, without AWS, and as Route 53 has it', async () => {
    const ask = async (...args: string[]): Promise<unknown> =>
      (
        JSON.parse((await dns('evaluate', '--json', ...args)).stdout) as {
          answers: { dc: string; share: number }[]
        }
      ).answers.map(({ dc, share }) => `${dc} ${share}`)
    expect(await ask('--from', 'EU/DE')).to.deep.equal(['dc03 1'])
    expect(await ask('--from', 'EU/DE', '--down', 'dc03')).to.deep.equal(['dc01 0.5', 'dc01 0.5'])
    expect(await ask('--from', 'EU', '--down', 'dc03,dc01')).to.deep.equal(['dcb1 1'])
    expect(await ask('--from', 'AS', '--down', 'dc01-app2')).to.deep.equal(['dc01 1'])
    expect((await dns('evaluate', '--from', 'EU', '--down', 'dc3')).stderr).to.equal(
      'cinque: --down dc3: there is no such DC or host; did you mean dc03?\n',
    )
    await apply()
    // Its probers say that all checkers assert all DCs down: then all count as healthy.
    expect(await ask('--from', 'EU/DE', '--live')).to.deep.equal(['dc03 1'])
  })

  it('has weights by override in the chain, and never takes them back because it could not ask', async () => {
    const items = [
      { subject: 'dc01', action: 'weight', percent: 25, reason: 'disks', at: '', expires_at: null },
      { subject: 'dc03', action: 'out', percent: null, reason: 'work', at: '', expires_at: null },
    ]
    const platform = createServer((request, response) => {
      const known = request.url === '/v1/checkers/overrides'
      response.writeHead(known ? 200 : 404, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ items, next: null }))
    })
    await new Promise<void>((listening) => platform.listen(0, '127.0.0.1', listening))
    const told = ['--url', `http://127.0.0.1:${(platform.address() as AddressInfo).port}`, '--token', 'any']
    const { stdout, stderr } = await dns('plan', ...told)
    platform.closeAllConnections()
    await new Promise((closed) => platform.close(closed))
    expect(stderr).to.equal('')
    expect(stdout).to.include('note: dc01: 25 percent by override (disks)\n')
    expect(stdout).to.include(`+ 1.all._chain.${zoneName} A "dc01"  weight 25, alias dc01.${zoneName}\n`)
    expect(stdout).to.include(`+ 1.eu._chain.${zoneName} A "dc03"  primary, alias dc03.${zoneName}\n`)
    const away = await apply(...told)
    expect(away.code).to.equal(1)
    expect(away.stderr).to.match(
      /^cinque: the overrides can't be read: .*\n {2}Without them: --no-overrides\./,
    )
    expect(await records()).to.have.length(2)
    expect((await dns('plan', ...told, '--no-overrides')).stdout).to.include(
      'note: overrides were not asked for',
    )
  })
})
