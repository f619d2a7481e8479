import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { pause } from '#scripts/pause.ts'
import { sshRemote } from '#scripts/remote/remote.ts'
import { temporaryFolder } from '../scripts/child.ts'
import { copyKey, newKey, signPerson, SshHosts } from './sshd.ts'

describe('commands on hosts, by a real sshd', () => {
  const folder = temporaryFolder()
  const db = { name: 'dc01-db1' }
  const app = { name: 'dc01-app1' }
  let hosts: SshHosts

  before(async function () {
    this.timeout(60_000)
    hosts = await SshHosts.start(folder.path)
  })
  after(async () => {
    await hosts?.stop()
    folder.remove()
  })

  it('have their output, errors and exit code, whatever characters are in them', async () => {
    const said = await hosts.remote.run(db, `echo "it's \\"$CINQUE_HOST\\" \\$HOME"; echo oh >&2; exit 3`)
    expect(said).to.deep.equal({
      code: 3,
      stdout: `it's "dc01-db1" $HOME\n`,
      stderr: 'oh\n',
      failure: null,
    })
  })

  it('read what they are given, a text or a file, to its last byte', async () => {
    const file = join(folder.path, 'big')
    writeFileSync(file, Buffer.alloc(3_000_000, 'abc'))
    const [text, big] = await Promise.all([
      hosts.remote.run(db, 'cat', { input: 'with\nno end' }),
      hosts.remote.run(db, 'wc -c', { input: { file } }),
    ])
    expect(text.stdout).to.equal('with\nno end')
    expect(big.stdout.trim()).to.equal('3000000')
  })

  it('tell their lines while they run, the last one without a line break too', async () => {
    const lines: string[] = []
    await hosts.remote.run(db, 'echo one; echo two >&2; printf three', {
      onLine: (line, from) => lines.push(`${from} ${line}`),
    })
    expect(lines).to.have.members(['stdout one', 'stderr two', 'stdout three'])
  })

  it('run side by side over one connection, opened once', async () => {
    await hosts.remote.close([db])
    const all = await Promise.all(
      Array.from({ length: 8 }, () => hosts.remote.run(db, 'echo $SSH_CONNECTION')),
    )
    expect(new Set(all.map(({ stdout }) => stdout))).to.have.length(1)
    expect(all.map(({ stderr }) => stderr).join('')).to.equal('')
  })

  it('are ended on the host when they take too long', async () => {
    const mark = join(folder.path, 'too-late')
    const { code, failure } = await hosts.remote.run(db, `sleep 3; touch ${mark}`, { timeoutMs: 1000 })
    expect({ code, failure }).to.deep.equal({ code: 124, failure: 'dc01-db1: not done after 1 s' })
    expect(existsSync(mark)).to.equal(false)
  })

  it('are ended on the host when whoever asked for them is interrupted', async () => {
    const [pids, stop] = [join(folder.path, 'pid'), new AbortController()]
    const { code, failure } = await hosts.remote.run(db, `echo $$ > ${pids}; echo runs; sleep 60`, {
      onLine: () => stop.abort(),
      signal: stop.signal,
    })
    expect({ code, failure }).to.deep.equal({ code: 130, failure: 'dc01-db1: interrupted' })
    const process = `/proc/${readFileSync(pids, 'utf8').trim()}`
    while (existsSync(process)) await pause(20)
  })

  it("that end with ssh's own exit code are not taken for a lost connection", async () => {
    expect(await hosts.remote.run(db, 'exit 255')).to.include({ code: 254, failure: null })
    expect(await hosts.remote.run(db, 'no-such-program')).to.include({ code: 127, failure: null })
  })

  it('are run as root by sudo for a person with an account of their own', async () => {
    hosts.program(app.name, 'id', 'echo 1000')
    hosts.program(app.name, 'sudo', 'shift; BY=sudo exec "$@"')
    expect((await hosts.remote.run(app, 'echo "$BY"')).stdout).to.equal('sudo\n')
  })

  it('reach a reinstalled host with a new key at once', async () => {
    await hosts.remote.run(app, 'true')
    await hosts.shutDown(app.name)
    await hosts.boot(app.name)
    expect(await hosts.remote.run(app, 'true')).to.include({ code: 0, failure: null })
  })

  it('are not sent to whoever has the address of a host but not its key', async () => {
    await newKey(join(folder.path, 'other-ca'))
    for (const [authority, name] of [
      ['other-ca', app.name],
      // A host of ours that was broken into is not believed to be another one.
      ['host-ca', db.name],
    ]) {
      await hosts.shutDown(app.name)
      await hosts.boot(app.name, authority, name)
      const { code, failure } = await hosts.remote.run(app, 'true')
      expect(code).to.equal(255)
      expect(failure).to.match(/^dc01-app1: its host key is refused: nobody who is trusted/)
    }
    await hosts.shutDown(app.name)
    await hosts.boot(app.name)
  })

  it('are refused to a key that nobody has signed, or for another account, and the reason is said', async () => {
    const config = join(folder.path, 'other-config')
    writeFileSync(config, readFileSync(hosts.config, 'utf8').replace(/"(.*)\/person"/, '"$1/stranger"'))
    await newKey(join(folder.path, 'stranger'))
    const stranger = sshRemote({ config })
    const refused = 'dc01-db1: it does not accept your key; sign it anew: cinque ssh sign'
    expect((await stranger.run(db, 'true')).failure).to.equal(refused)
    await signPerson(folder.path, 'stranger', 'somebody-else')
    expect((await stranger.run(db, 'true')).failure).to.equal(refused)
    copyKey(join(folder.path, 'person'), join(folder.path, 'stranger'))
    expect((await stranger.run(db, 'true')).failure).to.equal(null)
    await stranger.close([db])
  })

  it('say of a host that is off that nothing is there', async () => {
    await hosts.shutDown(app.name)
    expect((await hosts.remote.run(app, 'true')).failure).to.equal('dc01-app1: nothing listens for ssh there')
    await hosts.boot(app.name)
  })
})
