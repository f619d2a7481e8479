import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { must } from '#scripts/child-process.ts'
import { introduce, isReached } from '#scripts/node/first-contact.ts'
import { type Remote, sshRemote } from '#scripts/remote/remote.ts'
import { writeSshConfig } from '#scripts/remote/ssh-config.ts'
import { temporaryFolder } from '../scripts/child.ts'
import { runHere } from '../scripts/cli-runner.ts'
import { hostKey, newKey, SshHosts } from './sshd.ts'

describe('keys of hosts and people', () => {
  const folder = temporaryFolder()
  const path = (name: string): string => join(folder.path, name)
  const [db, app] = [{ name: 'dc01-db1' }, { name: 'dc01-app1' }]
  const account = userInfo().username
  let hosts: SshHosts
  let where: readonly string[]

  before(async function () {
    this.timeout(60_000)
    hosts = await SshHosts.start(folder.path)
    where = ['--inventory', path('inventory.yaml')]
    await newKey(path('new-ca'))
  })
  after(async () => {
    await hosts?.stop()
    folder.remove()
  })

  const keyOf = ({ name }: { name: string }): string => readFileSync(hostKey(hosts.home(name)), 'utf8')
  /** Connects anew each time, as somebody who was never there. */
  const failureAt = async (host: { name: string }, remote: Remote = hosts.remote): Promise<string | null> =>
    (await remote.run(host, 'true', { fresh: true })).failure

  it('of a new host are signed by the fingerprint that its console shows, and by no other', async () => {
    await newKey(path('nobody'))
    await hosts.shutDown(app.name)
    await hosts.boot(app.name, 'nobody')
    hosts.program(app.name, 'sshd', ':')
    const host = hosts.inventory.hosts.find(({ name }) => name === app.name)
    if (host === undefined) throw new Error('no host')
    const hostCa = path('host-ca')
    const remoteOf = (knownHosts: string): Remote => sshRemote({ config: hosts.config, knownHosts })
    const meet = async (hostKeyShown: string): Promise<string> => {
      const contact = { hostKey: hostKeyShown, hostCa }
      if (await isReached(hosts.remote, host, contact)) return 'known'
      await introduce(remoteOf, host, { ...contact, port: String(hosts.port) })
      return 'introduced'
    }
    const refused = await meet('SHA256:somebody-else').catch((error: Error) => error.message)
    expect(refused).to.match(/the key SHA256:.*, and not SHA256:somebody-else; nothing was sent to it/)
    const shown = await must('ssh-keygen', ['-lf', `${hostKey(hosts.home(app.name))}.pub`])
    expect(await meet(shown.split(' ')[1])).to.equal('introduced')
    await hosts.remote.close([app])
    expect(await failureAt(app)).to.equal(null)
    expect(await meet('SHA256:whatever')).to.equal('known')
  })

  it('of a host are renewed under its open connections, and it is known by the new one', async () => {
    const first = keyOf(db)
    const { code, stdout, stderr } = await runHere(
      'ssh',
      'renew',
      ...where,
      '--on',
      db.name,
      '--host-ca',
      path('host-ca'),
    )
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' })
    const fingerprint = await must('ssh-keygen', ['-lf', `${hostKey(hosts.home(db.name))}.pub`])
    expect(stdout).to.equal(`dc01-db1  ${fingerprint.split(' ')[1]}\n`)
    expect(keyOf(db)).to.not.equal(first)
    expect(await failureAt(db)).to.equal(null)
    expect(existsSync(`${hostKey(hosts.home(db.name))}.old`), 'the old one is gone').to.equal(false)
  })

  it('of a host stay what they were when it would not be known by the new one, and no other host is touched', async () => {
    const keys = [keyOf(db), keyOf(app)]
    const { code, stderr } = await runHere(
      'ssh',
      'renew',
      ...where,
      '--on',
      'dc01',
      '--host-ca',
      path('new-ca'),
    )
    expect(code).to.equal(1)
    expect(stderr).to.match(/^cinque: dc01-db1: its host key is refused/)
    expect([keyOf(db), keyOf(app)]).to.deep.equal(keys)
    expect(await failureAt(db)).to.equal(null)
  })

  it('of hosts come from another authority, host by host, and then the old one is believed no more', async () => {
    const access = { hosts: hosts.inventory.hosts, user: account, identity: path('person'), port: hosts.port }
    const both = [path('host-ca.pub'), path('new-ca.pub')]
    writeSshConfig(folder.path, { ...access, hostAuthorities: both })
    const renewed = await runHere(
      'ssh',
      'renew',
      ...where,
      '--on',
      db.name,
      '--host-ca',
      path('new-ca'),
      '--for',
      '52w',
    )
    expect(renewed).to.include({ code: 0, stderr: '' })
    expect([await failureAt(db), await failureAt(app)]).to.deep.equal([null, null])
    writeSshConfig(folder.path, { ...access, hostAuthorities: [path('new-ca.pub')] })
    expect(await failureAt(db)).to.equal(null)
    expect(await failureAt(app)).to.match(/its host key is refused/)
    writeSshConfig(folder.path, { ...access, hostAuthorities: both })
  })

  it('of people let them in for some time as who they are, without anything being changed on hosts', async () => {
    await newKey(path('ada'))
    const config = join(folder.path, 'of-ada', 'ssh_config')
    const mine = ['--user', account, '--identity', path('ada'), '--port', String(hosts.port)]
    const authorities = ['--host-ca', path('host-ca.pub'), '--host-ca', path('new-ca.pub')]
    const written = await runHere('ssh', 'config', ...where, '--out', path('of-ada'), ...authorities, ...mine)
    expect(written).to.include({ code: 0, stderr: '', stdout: `${config}: 3 hosts\n` })
    const ada = sshRemote({ config })
    expect(await failureAt(db, ada)).to.equal(
      'dc01-db1: it does not accept your key; sign it anew: cinque ssh sign',
    )
    const signing = ['ssh', 'sign', path('ada.pub'), '--ca', path('people-ca'), '--as', account]
    expect(await runHere(...signing, '--for', '1h')).to.include({ code: 0, stderr: '' })
    expect(await failureAt(db, ada)).to.equal(null)
    expect(await failureAt(app, ada)).to.equal(null)
    writeFileSync(path('revoked.pub'), readFileSync(path('ada.pub')))
    expect(await failureAt(app, ada), 'her laptop was lost').to.match(/does not accept your key/)
    writeFileSync(path('revoked.pub'), '')
    const past = ['-V', '-2h:-1h', path('ada.pub')]
    await must('ssh-keygen', ['-q', '-s', path('people-ca'), '-I', 'ada', '-n', account, ...past])
    expect(await failureAt(db, ada), 'its time is over').to.match(/does not accept your key/)
  })

  it('of people go over the only host that is reached from outside, and prove the others to them all the same', async () => {
    const config = writeSshConfig(path('by-bastion'), {
      hosts: hosts.inventory.hosts,
      hostAuthorities: [path('host-ca.pub'), path('new-ca.pub')],
      user: account,
      identity: path('person'),
      port: hosts.port,
      bastion: db.name,
    })
    const remote = sshRemote({ config })
    const { stdout, failure } = await remote.run(app, 'echo $CINQUE_HOST $SSH_CONNECTION', { fresh: true })
    expect(failure).to.equal(null)
    expect(stdout).to.match(/^dc01-app1 127\.\S+ \d+ 127\.60\.0\.2 /)
    await hosts.shutDown(db.name)
    expect(await failureAt(app, remote)).to.not.equal(null)
    await hosts.boot(db.name)
  })

  it('are refused with a reason where they will not do', async () => {
    const sign = ['ssh', 'sign', path('ada.pub'), '--ca', path('people-ca'), '--as', account]
    writeFileSync(path('no.pub'), 'not a key\n')
    const wrong: [args: readonly string[], code: number, says: RegExp][] = [
      [[...sign, '--for', '10y'], 2, /^cinque: --for 10y: expected a time like 12h or 7d, a year at most$/m],
      [[...sign, '--for', '99w'], 2, /^cinque: --for 99w: expected a time/],
      [[...sign, '--as', 'a,b'], 2, /^cinque: "a,b" cannot be the name of an account or host$/m],
      [['ssh', 'sign', path('ada'), '--ca', 'x', '--as', 'a'], 2, /a public key ends in \.pub/],
      [
        ['ssh', 'sign', path('no.pub'), '--ca', path('people-ca'), '--as', 'a'],
        1,
        /^cinque: cannot sign .*no\.pub/,
      ],
      [['ssh', 'sign', path('ada.pub'), '--ca', path('none'), '--as', 'a'], 2, /^cinque: cannot read .*none/],
      [
        ['ssh', 'config', ...where, '--host-ca', path('host-ca.pub'), '--bastion', 'dc09-x'],
        2,
        /^cinque: --bastion dc09-x: the inventory has no such host$/m,
      ],
      [['ssh', 'config', ...where, '--host-ca', path('none.pub')], 2, /^cinque: cannot read .*none\.pub$/m],
    ]
    for (const [args, code, says] of wrong) {
      const ended = await runHere(...args)
      expect(ended.stderr).to.match(says)
      expect(ended.code, args.join(' ')).to.equal(code)
    }
  })
})
