import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { cinque, temporaryFolder } from '../scripts/child.ts'
import { runHere } from '../scripts/cli-runner.ts'
import { SshHosts } from './sshd.ts'

describe('cinque run', () => {
  const folder = temporaryFolder()
  let hosts: SshHosts
  let where: readonly string[]

  before(async function () {
    this.timeout(60_000)
    hosts = await SshHosts.start(folder.path)
    where = ['--inventory', join(folder.path, 'inventory.yaml')]
  })
  after(async () => {
    await hosts?.stop()
    folder.remove()
  })

  it('runs a command on the hosts that an expression means, and says how it ended on each', async () => {
    const { code, stdout, stderr } = await runHere(
      'run',
      ...where,
      '--on',
      'dc01',
      '--',
      'echo',
      '$CINQUE_HOST',
    )
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' })
    const lines = stdout.trimEnd().split('\n')
    expect(lines.slice(0, 2)).to.have.members(['dc01-db1   dc01-db1', 'dc01-app1  dc01-app1'])
    expect(lines[3]).to.match(/^HOST +EXIT +SECONDS +WHY$/)
    expect(lines.slice(4).map((line) => line.split(/ +/).slice(0, 2))).to.deep.equal([
      ['dc01-db1', '0'],
      ['dc01-app1', '0'],
    ])
    expect(stdout).to.not.include('dcb1')
  })

  it('fails when it fails on one host, and goes on with the others', async () => {
    const command = 'echo here; [ $CINQUE_HOST != dc01-app1 ] || exit 4'
    const { code, stdout } = await runHere('run', ...where, '--all', '--json', command)
    expect(code).to.equal(1)
    const ran = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { host: string; code: number; stdout: string })
    expect(Object.fromEntries(ran.map((one) => [one.host, one.code]))).to.deep.equal({
      'dc01-db1': 0,
      'dc01-app1': 4,
      'dcb1-n1': 0,
    })
    expect(ran[0].stdout).to.equal('here\n')
  })

  it('begins on no other host after one that failed, if so wished', async () => {
    const { code, stdout, stderr } = await runHere(
      'run',
      ...where,
      '--all',
      '--at',
      '1',
      '--fail-fast',
      'echo $CINQUE_HOST; [ $CINQUE_HOST != dc01-db1 ]',
    )
    expect(code).to.equal(1)
    expect(stdout).to.match(/^dc01-app1 +- +0\.0 +not begun, as another host failed$/m)
    expect(stderr).to.equal('cinque: failed on 3 of 3 hosts\n')
  })

  it('says of a host that is off why it was not run there, and runs elsewhere', async () => {
    await hosts.shutDown('dc01-app1')
    const { code, stdout } = await runHere('run', ...where, '--on', 'dc01', 'echo ran')
    expect(code).to.equal(1)
    expect(stdout).to.match(/^dc01-db1 +ran$/m)
    expect(stdout).to.match(/^dc01-app1 +- +\d\.\d +nothing listens for ssh there$/m)
    await hosts.boot('dc01-app1')
  })

  it('gives each host what comes on standard input', async () => {
    const file = join(folder.path, 'input')
    writeFileSync(file, 'words')
    const { stdout } = await runHere('run', ...where, '--on', 'dc01', '--input', file, 'cat')
    expect(stdout)
      .to.match(/^dc01-db1 +words$/m)
      .and.to.match(/^dc01-app1 +words$/m)
  })

  it('does not let a host move the cursor of whoever reads', async () => {
    const { stdout } = await runHere('run', ...where, '--on', 'dc01-db1', String.raw`printf 'a\033[2Jb\rc\n'`)
    expect(stdout).to.match(/^dc01-db1 +a \[2Jb c$/m)
  })

  it('ends the command on the hosts at Ctrl-C, and says where it was ended', async () => {
    const child = cinque(['run', ...where, '--on', 'dc01', '--', 'echo begun; sleep 60'])
    await child.said(/dc01-db1 +begun/)
    await child.said(/dc01-app1 +begun/)
    const { code, stdout } = await child.end('SIGINT')
    expect(code).to.equal(1)
    expect(stdout).to.match(/^dc01-db1 +- +\d+\.\d +interrupted$/m)
  })

  it('wants to be told where', async () => {
    const nowhere = await runHere('run', ...where, 'reboot')
    expect(nowhere).to.include({ code: 2, stderr: 'cinque: --on HOSTS or --all says where to run it\n' })
    const wrong = await runHere('run', ...where, '--on', 'dc09', 'reboot')
    expect(wrong.code).to.equal(2)
    expect(wrong.stderr).to.match(/^cinque: --on "dc09": there is no host or DC "dc09"/)
    const unknown = await runHere('run', '--inventory', join(folder.path, 'none.yaml'), '--all', 'reboot')
    expect(unknown.code).to.equal(2)
    expect(unknown.stderr).to.match(/^cinque: cannot read the inventory/)
    const both = await runHere('run', ...where, '--fleet', folder.path, '--all', 'reboot')
    expect(both).to.include({ code: 2, stderr: 'cinque: --fleet and --inventory exclude each other\n' })
    const noFleet = await runHere('run', '--fleet', join(folder.path, 'none'), '--all', 'reboot')
    expect(noFleet.stderr).to.match(/^cinque: there is no fleet in /)
  })
})
