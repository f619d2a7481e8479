import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { parse } from 'yaml'
import { brokerConfig } from '#broker/config.ts'
import { defaultRetention } from '#platform/backup/retention.ts'
import { checkInventory, type Inventory } from '#platform/inventory/inventory.ts'
import { loadInventory } from '#platform/inventory/load.ts'
import { natsConfig } from '#platform/nats/server/config.ts'
import { backupConfig } from '#scripts/backup/config.ts'
import { memberConfig } from '#scripts/cell/member-config.ts'
import { run } from '#scripts/child-process.ts'
import { type Catalogue, compile, contentOf, ensurePuppet, treeFor } from './puppet.ts'

const seed = loadInventory('docs/cell.example.yaml')
const setupMs = 300_000
/** What a cell has only when it is told where to. */
const optional = {
  'profile::backup::directory': '/srv/backup',
  'profile::gdnsd::hosts': seed.hosts
    .filter(({ roles }) => roles.includes('checker'))
    .map(({ name }) => name),
  'profile::operator::hosts': ['dc01-app1', 'dcb1-check1'],
  'profile::operator::rebuild': 'rebuild "$CINQUE_HOST" 100%',
  'profile::prometheus::hosts': ['dc02-check1'],
  'profile::ssh::authority': ['ssh-ed25519 AAAAold people', 'ssh-ed25519 AAAAnew people'],
  'profile::ssh::revoked': ['ssh-ed25519 AAAAlost ada'],
}

/** One host of each role in each DC. */
function oneOfEach({ dcs, hosts }: Inventory): string[] {
  return dcs.flatMap(({ name }) =>
    (['db', 'app', 'checker'] as const).flatMap((role) => {
      const host = hosts.find((one) => one.dc === name && one.roles.includes(role))
      return host === undefined ? [] : [host.name]
    }),
  )
}

describe('what Puppet makes of hosts', () => {
  let tree: string
  let work: string
  let catalogues: ReadonlyMap<string, Catalogue>
  before(async function () {
    this.timeout(setupMs)
    await ensurePuppet()
    tree = treeFor(seed, { 'profile::healthcheck::provisioned': true, ...optional })
    work = mkdtempSync(join(tmpdir(), 'cinque-catalogue-'))
    catalogues = await compile(tree, oneOfEach(seed))
  })
  after(() => {
    for (const path of [tree, work]) rmSync(path, { recursive: true, force: true })
  })

  const catalogue = (host: string): Catalogue => {
    const found = catalogues.get(host)
    if (found === undefined) throw new Error(`${host} was not compiled`)
    return found
  }
  const services = (host: string): string[] =>
    catalogue(host)
      .filter(({ type }) => type === 'Service')
      .map(({ title }) => title)

  it('is whole for every role in every DC: no value, file or dependency is missing', () => {
    expect(catalogues.size).to.equal(15)
    expect(services('dc01-db1')).to.include('cassandra').and.not.include('cinque-api')
    expect(services('dcb2-app1'))
      .to.include.members(['cinque-nats', 'cinque-broker1', 'cinque-broker2', 'cinque-api'])
      .and.not.include('cassandra')
    expect(services('dc03-check1')).to.include('cinque-healthcheck').and.not.include('cinque-api')
  })

  it('is refused where the inventory has a value of a wrong kind, with its name', async () => {
    const wrong = treeFor(seed)
    try {
      const file = join(wrong, 'data/local.yaml')
      writeFileSync(file, 'profile::cinque::release: x\nprofile::cassandra::heap_mb: much\n')
      const failure = await compile(wrong, ['dc01-db1']).catch((error: Error) => error)
      expect(failure)
        .to.be.an('error')
        .with.property('message')
        .that.matches(/heap_mb/)
    } finally {
      rmSync(wrong, { recursive: true, force: true })
    }
  })

  it('is refused where a name server or Prometheus is asked for by a name that nothing reads any more', async () => {
    for (const what of ['gdnsd', 'prometheus']) {
      const wrong = treeFor(seed, { ...optional, [`profile::${what}::enabled`]: true })
      try {
        // oxlint-disable-next-line no-await-in-loop -- they take all processors
        const failure = await compile(wrong, ['dc01-check1']).catch((error: Error) => error)
        expect(failure)
          .to.be.an('error')
          .with.property('message')
          .that.includes(`profile::${what}::enabled is not read any more`)
          .and.includes(`profile::${what}::hosts: ['dc01-check1']`)
      } finally {
        rmSync(wrong, { recursive: true, force: true })
      }
    }
  })

  it('is refused where nobody would make the backups that are asked for', async () => {
    const wrong = treeFor(seed, { ...optional, 'profile::backup::shipper': 'dcb1-app1' })
    try {
      const failure = await compile(wrong, ['dcb1-db1']).catch((error: Error) => error)
      expect(failure)
        .to.be.an('error')
        .with.property('message')
        .that.matches(/profile::backup::shipper: dcb1-app1 is no db host/)
    } finally {
      rmSync(wrong, { recursive: true, force: true })
    }
  })

  it('has a packet filter that nft takes, and lets in from anywhere what is meant for all only', async () => {
    for (const [host, all] of catalogues) {
      const rules = contentOf(all, '/etc/nftables.conf')
      const file = join(work, 'nftables.conf')
      writeFileSync(file, rules)
      const { code, stderr } = await run('unshare', ['--net', 'nft', '--check', '--file', file])
      expect({ host, code, stderr }).to.deep.equal({ host, code: 0, stderr: '' })
      expect(rules).to.match(/hook input priority filter; policy drop;/)
      const open = [...rules.matchAll(/^ {4}tcp dport \{ (.*) \} accept$/gm)].map(([, ports]) => ports)
      const wanted = host.includes('app')
        ? ['80, 1883, 8883, 8080, 8443']
        : host.includes('check')
          ? ['53, 8053']
          : []
      expect(open, host).to.deep.equal(wanted)
    }
  })

  it('has units that systemd takes, every one hardened', async () => {
    const units = new Map<string, string>()
    for (const all of catalogues.values()) {
      for (const { type, title, parameters } of all) {
        const isUnit = type === 'File' && /^\/etc\/systemd\/system\/[^/]+\.(service|timer)$/.test(title)
        if (isUnit && parameters.ensure !== 'absent') units.set(title.replace(/.*\//, ''), parameters.content)
      }
    }
    expect([...units.keys()].toSorted()).to.deep.equal(
      [
        ...['api', 'broker1', 'broker2', 'healthcheck', 'nats', 'operator'].map(
          (name) => `cinque-${name}.service`,
        ),
        ...['backup', 'drill', 'figures', 'snapshot'].flatMap((name) => [
          `cinque-${name}.service`,
          `cinque-${name}.timer`,
        ]),
        'cassandra.service',
      ].toSorted(),
    )
    for (const [name, text] of units) {
      // Programs and secrets are not on this machine.
      writeFileSync(
        join(work, name),
        text.replaceAll(/^ExecStart=\S+/gm, 'ExecStart=/bin/true').replaceAll(/^EnvironmentFile=.*\n/gm, ''),
      )
    }
    for (const [name, text] of units) {
      const verified = await run('systemd-analyze', ['verify', '--man=no', join(work, name)])
      const complaints = verified.stderr
        .split('\n')
        .filter((line) => line.includes(name.replace('.service', '')))
      expect(complaints, name).to.deep.equal([])
      if (name.endsWith('.timer')) continue
      expect(text, name)
        .to.match(/^NoNewPrivileges=yes$/m)
        .and.match(/^ProtectSystem=strict$/m)
        .and.match(/^SystemCallFilter=@system-service$/m)
      const offline = await run('systemd-analyze', [
        'security',
        '--offline=true',
        '--no-pager',
        join(work, name),
      ])
      const exposure = /Overall exposure level for .*: ([\d.]+)/.exec(offline.stdout)?.[1]
      expect(Number(exposure), `${name}: ${offline.stderr}`).to.be.below(2)
    }
  })

  it('tells processes what the cell is, in files that they take', () => {
    for (const host of ['dc01-app1', 'dcb1-app2'].filter((name) => catalogues.has(name))) {
      const member = memberConfig.parse(parse(contentOf(catalogue(host), '/etc/cinque/cinque/member.yaml')))
      expect(member.dc_numbers).to.deep.equal([1, 2, 3, 4, 5])
      expect(member.cassandra.contact_points).to.have.length(4)
      brokerConfig.parse(parse(contentOf(catalogue(host), '/etc/cinque/cinque/broker.yaml')))
    }
  })

  it('configures nats-server as the development cell does', () => {
    const host = seed.hosts.find(({ name }) => name === 'dc02-app1')
    if (host === undefined) throw new Error('no dc02-app1')
    const { ports } = seed
    const tls = {
      certFile: '/etc/cinque/nats/host.pem',
      keyFile: '/etc/cinque/nats/host.key',
      caFile: '/etc/cinque/nats/ca.pem',
    }
    const user = `U${'A'.repeat(55)}`
    const password = 'secretsecret'
    const servers = seed.hosts
      .filter(({ roles }) => roles.includes('app'))
      .map(({ name, address }) => ({ name, address: `${address}:${ports.gateway}` }))
    const wanted = natsConfig({
      name: host.name,
      clients: `${host.address}:${ports.nats}`,
      monitor: `127.0.0.1:${ports.nats_http}`,
      tls,
      users: [user],
      gateway: { listen: `${host.address}:${ports.gateway}`, password, servers },
    })
    const secrets = wanted
      .replaceAll(`gateway:${password}@`, '')
      .replaceAll(user, '$CINQUE_NATS_USER')
      .replaceAll(`"${password}"`, '$CINQUE_GATEWAY_PASSWORD')
    expect(contentOf(catalogue('dc02-app1'), '/etc/cinque/nats/nats.conf')).to.equal(secrets)
  })

  it("writes a cassandra.yaml with the cell's seeds, TLS on both sides, and no password that everybody knows", () => {
    const yaml = parse(contentOf(catalogue('dc03-db1'), '/etc/cinque/cassandra/cassandra.yaml')) as {
      seed_provider: [{ parameters: [{ seeds: string }] }]
      client_encryption_options: object
      server_encryption_options: object
      authenticator: { class_name: string }
    }
    expect(yaml.seed_provider[0].parameters[0].seeds.split(',')).to.deep.equal([
      '192.0.2.11',
      '198.51.100.11',
      '203.0.113.11',
      '203.0.113.111',
      '203.0.113.211',
    ])
    expect(yaml.client_encryption_options).to.include({
      enabled: true,
      optional: false,
      require_client_auth: true,
    })
    expect(yaml.server_encryption_options).to.include({
      internode_encryption: 'all',
      require_client_auth: true,
    })
    expect(yaml.authenticator.class_name).to.equal('PasswordAuthenticator')
  })

  it('is whole on Debian 13, too, with the Java that it has', async () => {
    const newer = treeFor(seed, { 'profile::healthcheck::provisioned': true }, 13)
    try {
      const hosts = ['dc01-db1', 'dc01-app1', 'dc01-check1']
      const all = await compile(newer, hosts)
      expect([...all.keys()]).to.have.members(hosts)
      const db = all.get('dc01-db1') ?? []
      const packages = db.filter(({ type }) => type === 'Package').map(({ title }) => title)
      expect(packages).to.include('openjdk-21-jre-headless').and.not.include('openjdk-17-jre-headless')
      expect(contentOf(db, '/etc/cinque/cassandra/java.options')).to.include(
        '-Djava.security.manager=allow\n',
      )
    } finally {
      rmSync(newer, { recursive: true, force: true })
    }
  })

  it('backs up from one host only, whose node has every row, with a configuration that the command takes', () => {
    const shippers = [...catalogues.keys()].filter((host) => services(host).includes('cinque-backup.timer'))
    expect(services('dc01-db1')).to.include('cinque-snapshot.timer')
    const ships = (host: string): boolean =>
      catalogue(host).some(
        ({ title, parameters }) => title === '/etc/cinque/backup.yaml' && parameters.ensure === 'file',
      )
    expect(shippers.filter(ships)).to.deep.equal(['dcb1-db1'])
    const yaml = contentOf(catalogue('dcb1-db1'), '/etc/cinque/backup.yaml')
    const config = backupConfig.parse(parse(yaml))
    expect(config.files).to.deep.equal(['/etc/cinque/inventory.yaml', '/etc/cinque/secrets'])
    expect(config.cassandra).to.include({ address: '203.0.113.111', dc: 'dcb1' })
    expect(config.retention).to.deep.equal(defaultRetention)
    const unit = contentOf(catalogue('dcb1-db1'), '/etc/systemd/system/cinque-backup.service')
    expect(unit, 'what it may take from others').to.match(/^CPUWeight=1\nCPUQuota=10%$/m)
    const links = contentOf(catalogue('dcb1-db1'), '/etc/systemd/system/cinque-snapshot.service')
    expect(links)
      .to.match(/^CPUWeight=10$/m)
      .and.not.include('CPUQuota')
    const inventory = contentOf(catalogue('dcb1-db1'), '/etc/cinque/inventory.yaml')
    expect(checkInventory(parse(inventory), 'inventory.yaml')).to.deep.equal(seed)
  })

  it('lets Prometheus look at every process of the cell, with the rules of the release', () => {
    const yaml = contentOf(catalogue('dc02-check1'), '/etc/prometheus/prometheus.yml')
    const { rule_files, scrape_configs } = parse(yaml) as {
      rule_files: string[]
      scrape_configs: { job_name: string; static_configs: { targets: string[]; labels: object }[] }[]
    }
    expect(rule_files).to.deep.equal(['/opt/cinque/current/healthcheck/alerts/cinque.rules.yml'])
    const jobs = new Map(scrape_configs.map((job) => [job.job_name, job.static_configs]))
    expect(jobs.get('node')).to.have.length(seed.hosts.length)
    expect(jobs.get('broker')?.[0]).to.deep.equal({
      targets: ['192.0.2.21:9180', '192.0.2.21:9181'],
      labels: { host: 'dc01-app1', dc: 'dc01' },
    })
    expect(jobs.get('api')).to.have.length(10)
    expect(jobs.get('checker')).to.have.length(5)
  })

  it('has what schedules say done by the hosts that are named, with what the provider is asked by', () => {
    const at = '/etc/systemd/system/cinque-operator.service'
    const unit = contentOf(catalogue('dc01-app1'), at)
    expect(unit).to.match(/ operator --inventory \/etc\/cinque\/operator\/inventory\.yaml /)
    expect(unit).to.include('--rebuild "rebuild \\"$$CINQUE_HOST\\" 100%%"')
    expect(unit).to.match(/^EnvironmentFile=\/etc\/cinque\/operator\/operator\.env$/m)
    expect(() => contentOf(catalogue('dc02-app1'), at)).to.throw()
  })

  it('takes the keys of all hosts, and the service, from one that is no operator any more', () => {
    const former = catalogue('dc02-app1')
    for (const path of [
      '/etc/systemd/system/cinque-operator.service',
      '/etc/cinque/operator',
      '/etc/cinque/secrets/operator',
    ]) {
      const file = former.find(({ type, title }) => type === 'File' && title === path)
      // Without `backup` nothing of it is kept elsewhere.
      expect(file?.parameters, path).to.include({ ensure: 'absent', force: 'true', backup: 'false' })
    }
    const service = former.find(({ type, title }) => type === 'Service' && title === 'cinque-operator')
    expect(service?.parameters).to.include({ ensure: 'stopped', enable: 'false' })
  })

  it('lets a checker tell gdnsd who is up, where gdnsd reads it', () => {
    const unit = contentOf(catalogue('dc01-check1'), '/etc/systemd/system/cinque-healthcheck.service')
    expect(unit).to.match(/ --set gdnsd\.states_file=\/var\/lib\/gdnsd\/extfile\/cinque$/m)
    expect(unit).to.match(/^ReadWritePaths=\/var\/lib\/gdnsd\/extfile$/m)
  })

  it('lets a db host that has lost its disk take its own place, and ask the others, not itself', async () => {
    const again = treeFor(seed, { 'profile::cassandra::replace': true })
    try {
      const [all] = (await compile(again, ['dc03-db1'])).values()
      const yaml = parse(contentOf(all, '/etc/cinque/cassandra/cassandra.yaml')) as {
        seed_provider: [{ parameters: [{ seeds: string }] }]
      }
      const seeds = yaml.seed_provider[0].parameters[0].seeds.split(',')
      const own = seed.hosts.find(({ name }) => name === 'dc03-db1')?.address
      expect(seeds).to.have.length(5).and.not.include(own)
      expect(contentOf(all, '/etc/cinque/cassandra/java.options')).to.include(
        `-Dcassandra.replace_address_first_boot=${own}\n`,
      )
    } finally {
      rmSync(again, { recursive: true, force: true })
    }
  })

  it('lets people in whose keys one of two authorities has signed, and never by a key that was lost', () => {
    const host = catalogue('dc01-db1')
    expect(contentOf(host, '/etc/ssh/sshd_config.d/10-cinque.conf'))
      .to.match(/^TrustedUserCAKeys \/etc\/ssh\/people-ca\.pub$/m)
      .and.to.match(/^RevokedKeys \/etc\/ssh\/revoked\.pub$/m)
    expect(contentOf(host, '/etc/ssh/people-ca.pub')).to.equal(
      'ssh-ed25519 AAAAold people\nssh-ed25519 AAAAnew people\n',
    )
    expect(contentOf(host, '/etc/ssh/revoked.pub')).to.equal('ssh-ed25519 AAAAlost ada\n')
  })

  it('shows no secret in a catalogue: only where it comes from', () => {
    const secrets = catalogue('dc01-app1').filter(({ title }) => /\.key$|seed$|password$|token$/.test(title))
    expect(secrets).to.have.length.above(5)
    for (const { type, parameters } of secrets) {
      if (type !== 'File') continue
      expect(parameters).to.include({ mode: '0400', show_diff: 'false' }).and.not.have.property('content')
    }
  })
})

describe('the Puppet code', () => {
  before(async function () {
    this.timeout(setupMs)
    await ensurePuppet()
  })

  it('is as the parser, the linter and the templates want it', async () => {
    const epp = readdirSync('puppet', { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.epp'))
      .map((name) => join('puppet', name))
    for (const [program, args] of [
      ['puppet', ['parser', 'validate', 'puppet/manifests', 'puppet/modules']],
      ['puppet', ['epp', 'validate', ...epp]],
      ['puppet-lint', ['--no-140chars-check', '--fail-on-warnings', 'puppet/manifests', 'puppet/modules']],
    ] as const) {
      const { code, stdout, stderr } = await run(program, args)
      expect({ program, code, said: stdout + stderr }).to.deep.equal({ program, code: 0, said: '' })
    }
  }).timeout(setupMs)

  it('says of every class, define, type and parameter what it means', async () => {
    const pp = readdirSync('puppet/modules', { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.pp'))
      .map((name) => join('puppet/modules', name))
    const { stdout, stderr } = await run('puppet', ['strings', 'generate', '--format', 'json', ...pp])
    expect(stderr).to.equal('')
    const all = JSON.parse(stdout.slice(stdout.indexOf('{'))) as Record<string, Documented[]>
    const documented = ['puppet_classes', 'defined_types', 'data_type_aliases'].flatMap(
      (kind) => all[kind] ?? [],
    )
    expect(documented).to.have.length.above(15)
    for (const { name, docstring } of documented) {
      const tags = docstring.tags ?? []
      expect(
        tags.some((tag) => tag.tag_name === 'summary'),
        `${name} has a summary`,
      ).to.equal(true)
    }
  }).timeout(setupMs)
})

interface Documented {
  readonly name: string
  readonly docstring: { readonly tags?: readonly { readonly tag_name: string; readonly text?: string }[] }
}
