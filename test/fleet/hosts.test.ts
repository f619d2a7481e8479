import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import pino from 'pino'
import type { Host } from '#platform/inventory/inventory.ts'
import { FleetDirectory } from '#scripts/fleet/directory.ts'
import { Fleet } from '#scripts/fleet/fleet.ts'
import { fleetInventory } from '#scripts/fleet/inventory.ts'

/** A busy machine with two cores makes the image, too. */
const setupMs = 900_000
const workMs = 600_000

const mayBoot = process.platform === 'linux' && process.getuid?.() === 0

/** A db host and an app host that boot systemd, are reached by ssh, and made what they are by Puppet. */
function booted(): void {
  let directory: string
  let fleet: Fleet
  let db: Host
  let app: Host

  before(async function () {
    this.timeout(setupMs)
    directory = mkdtempSync(join(tmpdir(), 'cinque-fleet-'))
    const one = fleetInventory('one')
    const [host] = one.hosts
    const hosts: Host[] = [
      { ...host, name: 'dc01-db1', roles: ['db'] },
      { ...host, name: 'dc01-app1', roles: ['app'], address: '10.60.1.11', brokers: 2 },
    ]
    new FleetDirectory(directory).create({ ...one, hosts })
    fleet = await Fleet.open({ directory, log: pino({ level: 'silent' }), say: () => undefined })
    db = fleet.host('dc01-db1')
    app = fleet.host('dc01-app1')
    await fleet.prepare()
    await fleet.boot()
    await fleet.apply()
    await fleet.schema()
    await fleet.serves()
  })
  after(async function () {
    this.timeout(workMs)
    await fleet?.down(true)
    rmSync(directory, { recursive: true, force: true })
  })

  const on = async (host: Host, command: string): Promise<string> => {
    const { code, stdout, stderr } = await fleet.run(host, command)
    expect(code, `${command}: ${stderr}${stdout}`).to.equal(0)
    return stdout.trim()
  }
  const outcomes = async (): Promise<string[]> => (await fleet.apply()).map(({ outcome }) => outcome)

  it('serve devices and people, by processes that said they are ready, each watched', async () => {
    expect(
      await on(app, 'systemctl is-active cinque-nats cinque-broker1 cinque-broker2 cinque-api'),
    ).to.equal('active\nactive\nactive\nactive')
    expect(await on(app, 'systemctl show --property=Type,WatchdogUSec cinque-broker1')).to.equal(
      'Type=notify\nWatchdogUSec=30s',
    )
    const secure = await on(
      app,
      `curl -sS --cacert /etc/cinque/secrets/ca.pem https://${app.address}:8443/readyz`,
    )
    expect(JSON.parse(secure)).to.deep.equal({ status: 'ok' })
    // Both brokers on one port for TLS.
    expect(await on(app, "ss -Hltn 'sport = :8883' | wc -l")).to.equal('2')
  }).timeout(workMs)

  it('are as Puppet wants them after the first run: a second one changes nothing', async () => {
    expect(await outcomes()).to.deep.equal(['unchanged', 'unchanged'])
  }).timeout(workMs)

  it('are made so again when somebody changed something', async () => {
    const drifts = [
      'systemctl disable --now cinque-api',
      'nft flush ruleset',
      'rm /etc/cinque/cinque/member.yaml /etc/sysctl.d/60-cinque.conf',
      'sed -i s/NoNewPrivileges=yes/NoNewPrivileges=no/ /etc/systemd/system/cinque-nats.service',
      'chmod 644 /etc/cinque/cinque/admin-token',
    ]
    for (const drift of drifts) {
      // oxlint-disable-next-line no-await-in-loop -- one hand at a time
      await on(app, drift)
    }
    expect((await fleet.apply([app]))[0].outcome).to.equal('changed')
    await fleet.serves()
    expect(await on(app, 'stat --format=%a /etc/cinque/cinque/admin-token')).to.equal('400')
    expect(await on(app, 'nft list chain inet cinque input')).to.include('policy drop')
    expect((await fleet.apply([app]))[0].outcome).to.equal('unchanged')
  }).timeout(workMs)

  it('have their jobs as they are written now: systemd reads what was changed', async () => {
    const unit = '/etc/systemd/system/cinque-snapshot.service'
    await on(db, `sed -i s/^CPUWeight=.*/CPUWeight=99/ ${unit} && systemctl daemon-reload`)
    expect((await fleet.apply([db]))[0].outcome).to.equal('changed')
    expect(await on(db, 'systemctl show --property=CPUWeight,NeedDaemonReload cinque-snapshot')).to.equal(
      'CPUWeight=10\nNeedDaemonReload=no',
    )
  }).timeout(workMs)

  it('let nobody in but by the ports that are meant for them', async () => {
    const open = async (port: number): Promise<boolean> => {
      const script = `require('node:net').connect(${port},'${db.address}').on('connect',()=>process.exit(0)).on('error',()=>process.exit(1)).setTimeout(3000,()=>process.exit(1))`
      return (await fleet.run(app, `/opt/cinque/current/bin/node -e "${script}"`)).code === 0
    }
    expect(await open(9042), 'CQL, for hosts of the cell').to.equal(true)
    expect(await open(7000), 'between db hosts only').to.equal(false)
    expect(await open(7199), 'JMX').to.equal(false)
    // JMX is for the host itself.
    expect(await on(db, 'nodetool status | grep -c ^UN')).to.equal('1')
  }).timeout(workMs)

  it('come back from a bare disk by themselves: the app host keeps nothing', async () => {
    const key = 'cut -d" " -f2 /etc/ssh/ssh_host_ed25519_key.pub'
    const first = await on(app, key)
    expect((await fleet.reinstall(app)).outcome).to.equal('changed')
    await fleet.serves([app])
    // Another key, known at once by its certificate.
    expect(await on(app, key)).not.to.equal(first)
    expect((await fleet.apply([app]))[0].outcome).to.equal('unchanged')
  }).timeout(workMs)

  it('are refused where their key is not signed: somebody else has the address', async () => {
    const key = '/etc/ssh/ssh_host_ed25519_key'
    const machine = fleet.machine(app)
    await fleet.close([app])
    await machine.exec([
      'sh',
      '-c',
      `mv ${key}-cert.pub ${key}-cert.away && rm ${key} ${key}.pub && ssh-keygen -q -t ed25519 -N '' -f ${key} && systemctl restart ssh`,
    ])
    const { code, stderr } = await fleet.run(app, 'true')
    expect(code).to.equal(255)
    expect(stderr).to.match(/No ED25519 host key is known|Host key verification failed/i)
  }).timeout(workMs)
}

if (mayBoot) describe('hosts of a fleet, booted', booted)
else {
  describe('a fleet without root', () => {
    it('is refused, with what to do instead', async () => {
      const options = { directory: tmpdir(), log: pino({ level: 'silent' }), say: () => undefined }
      const failure = await Fleet.open(options).catch((error: Error) => error)
      expect(failure)
        .to.be.an('error')
        .with.property('message')
        .that.matches(/needs root on a Debian machine/)
    })
  })
}
