import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { newKey } from '#platform/auth/keys.ts'
import { must } from '#scripts/child-process.ts'
import { temporaryFolder } from '../scripts/child.ts'
import { runHere } from '../scripts/cli-runner.ts'
import { SshHosts } from './sshd.ts'
import { putStandIns } from './stand-ins.ts'

const secretKey = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'sec1', format: 'pem' })
    .toString()

describe('cinque diagnose', () => {
  const folder = temporaryFolder()
  const bundle = join(folder.path, 'bundle.tar.gz')
  const host = 'dc01-app1'
  /** What no pattern would find: only the host knows that these are secrets. */
  const unknown = [
    randomBytes(12).toString('hex'),
    'correct horse battery',
    `x+${randomBytes(9).toString('base64')}`,
  ]
  const tls = secretKey()
  const token = newKey('token')
  let hosts: SshHosts

  const put = (path: string, text: string): void => {
    const file = join(hosts.home(host), 'etc', path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }

  before(async function () {
    this.timeout(60_000)
    hosts = await SshHosts.start(folder.path)
    putStandIns(hosts, host)
    put('cinque/secrets/host.key', tls)
    put('cinque/secrets/admin-token', `${token}\n`)
    put('cinque/secrets/cassandra-password', `${unknown[0]}\n`)
    put('cinque/secrets/nats.env', `CINQUE_NATS_USER=UABC\nCINQUE_GATEWAY_PASSWORD='"${unknown[1]}"'\n`)
    put('cinque/secrets/backup/s3.secret', unknown[2])
    put('cinque/cinque/member.yaml', `dc: dc01\npassword_file: /etc/cinque/x\nadmin: ${unknown[0]}\n`)
    put(
      'cinque/cassandra/cassandra.yaml',
      `keystore_password: ${unknown[2]}\ncluster_name: test\nseeds: "127.60.0.1,127.60.0.3"\n`,
    )
    const [, line] = tls.split('\n')
    const said = [
      'a plain line',
      `using ${unknown.join(' and ')} now`,
      `refused ${token} and ${newKey('device')}`,
      `half of a key: ${line}`,
      ...tls.trimEnd().split('\n'),
      'the last line',
    ]
    writeFileSync(join(hosts.home(host), 'journal'), `${said.join('\n')}\n`)
    hosts.program(host, 'journalctl', `cat ${join(hosts.home(host), 'journal')}`)
    hosts.program(host, 'ps', `echo "1 root node --token ${token} --other ${unknown[0]}"`)
  })
  after(async () => {
    await hosts?.stop()
    folder.remove()
  })

  it('makes a file with what helps, and not one secret of a host in it', async () => {
    const where = ['--inventory', join(folder.path, 'inventory.yaml'), '--on', host]
    const { code, stdout, stderr } = await runHere('diagnose', ...where, '--out', bundle)
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' })
    expect(stdout).to.match(/^dc01-app1 +\d+\.\d MB$/m)
    expect(statSync(bundle).mode & 0o77, 'nobody else reads it').to.equal(0)

    await must('tar', ['-C', folder.path, '-xzf', bundle])
    const tree = join(folder.path, 'diagnose-test')
    const files = readdirSync(tree, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    )
    const all = new Map(files.map((one) => [one.name, readFileSync(join(one.parentPath, one.name), 'utf8')]))
    const general = ['about.txt', 'inventory.yaml', 'status.json']
    const own = ['system.txt', 'processes.txt', 'config.txt', 'nats.txt', 'metrics.txt', 'journal.txt']
    expect(Array.from(all.keys())).to.include.members([...general, ...own])
    const secrets = [...unknown, token, token.slice(2), ...tls.split('\n').filter((line) => line.length > 20)]
    for (const [name, text] of all) {
      for (const secret of secrets) expect(text.includes(secret), `${secret} in ${name}`).to.equal(false)
      expect(text, name).to.not.match(/PRIVATE KEY/)
    }
    expect(all.get('journal.txt')).to.include('a plain line\nusing [secret] and [secret] and [secret] now\n')
    expect(all.get('journal.txt')).to.include('\nthe last line\n')
    expect(all.get('config.txt')).to.include('password_file: /etc/cinque/x\nadmin: [secret]\n')
    expect(all.get('config.txt')).to.include('cluster_name: test\nseeds: "127.60.0.1')
    expect(all.get('metrics.txt')).to.include('cinque_mqtt_connections 12')
  })

  it('is not overwritten by another, and says which hosts are missing in it', async () => {
    const where = ['--inventory', join(folder.path, 'inventory.yaml'), '--on', 'dc01-db1']
    expect(await runHere('diagnose', ...where, '--out', bundle)).to.include({
      code: 2,
      stderr: `cinque: --out ${bundle} is there already\n`,
    })
    await hosts.shutDown('dc01-db1')
    const other = join(folder.path, 'other.tar.gz')
    const { code, stdout } = await runHere('diagnose', ...where, '--out', other)
    expect(code).to.equal(1)
    expect(stdout).to.match(/^dc01-db1 +0\.0 MB +nothing listens for ssh there$/m)
    expect(await must('tar', ['-xOzf', other, 'diagnose-test/missing.txt'])).to.equal(
      'dc01-db1: nothing listens for ssh there\n',
    )
  })
})
