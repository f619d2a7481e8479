import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { cinque, temporaryFolder } from '../scripts/child.ts'
import { runHere } from '../scripts/cli-runner.ts'
import { SshHosts } from './sshd.ts'

/** Journal of a host: says what it was asked for, then what is in a file, and with --follow what comes to that. */
const journalctl = (home: string): string => `
printf '%s ' "$@" >> ${home}/asked; echo >> ${home}/asked
from=1
for arg; do case $arg in --after-cursor=*) from=$((\${arg#*=} + 1)) ;; esac; done
case "$*" in
*--follow*) exec tail -n +$from -f ${home}/journal ;;
*) cat ${home}/journal ;;
esac`

describe('cinque logs', () => {
  const folder = temporaryFolder()
  const names = ['dc01-db1', 'dc01-app1']
  let hosts: SshHosts
  let where: readonly string[]
  let count = 0

  before(async function () {
    this.timeout(60_000)
    hosts = await SshHosts.start(folder.path)
    where = ['--inventory', join(folder.path, 'inventory.yaml'), '--on', 'dc01']
    for (const name of names) {
      hosts.program(name, 'journalctl', journalctl(hosts.home(name)))
      writeFileSync(join(hosts.home(name), 'journal'), '')
    }
  })
  after(async () => {
    await hosts?.stop()
    folder.remove()
  })

  /** The cursor is the number of the line. */
  const says = (name: string, unit: string, message: string): void =>
    writeFileSync(
      join(hosts.home(name), 'journal'),
      `${JSON.stringify({
        __CURSOR: String(++count),
        __REALTIME_TIMESTAMP: String(Date.UTC(2026, 10, 21, 4) * 1000),
        _SYSTEMD_UNIT: `${unit}.service`,
        MESSAGE: message,
      })}\n`,
      { flag: 'a' },
    )
  const asked = (name: string): string => readFileSync(join(hosts.home(name), 'asked'), 'utf8')

  it('prints lines of several hosts as they come, ours so that people can read them', async () => {
    const child = cinque(['logs', 'tail', ...where, '--unit', 'broker', '--unit', 'nginx', '--grep', "it's"])
    says('dc01-db1', 'cassandra', 'Node is \u001B[1mnormal')
    says('dc01-app1', 'cinque-broker1', '{"level":40,"time":1,"msg":"client refused","reason":"0x87"}')
    await child.said(/^2026-11-21T04:00:00\.000Z dc01-db1 cassandra Node is {2}\[1mnormal$/m)
    await child.said(/^2026-11-21T04:00:00\.000Z dc01-app1 broker1 warn client refused \{"reason":"0x87"\}$/m)
    expect(await child.end('SIGINT')).to.include({ code: 0, stderr: '' })
    expect(asked('dc01-app1')).to.include(
      "--unit cinque-broker* --unit nginx --grep=it's --follow --lines=10",
    )
  })

  it('leaves nothing out of a host whose connection was lost, and says that it was', async () => {
    count = 0
    writeFileSync(join(hosts.home('dc01-app1'), 'journal'), '')
    const child = cinque(['logs', 'tail', ...where, '--json'])
    says('dc01-app1', 'cinque-api', 'one')
    await child.said(/"message":"one"/)
    await hosts.shutDown('dc01-app1')
    await hosts.hangUp('dc01-app1')
    says('dc01-app1', 'cinque-api', 'two')
    await hosts.boot('dc01-app1')
    says('dc01-app1', 'cinque-api', 'three')
    await child.said(/"message":"three"/)
    const { stdout, stderr } = await child.end('SIGTERM')
    const of = stdout.split('\n').filter((line) => line.includes('dc01-app1'))
    expect(of.map((line) => (JSON.parse(line) as { message: string }).message)).to.deep.equal([
      'one',
      'two',
      'three',
    ])
    expect(stderr).to.match(/^cinque: dc01-app1: .*; asking again$/m)
  })

  it('copies journals of a time into files, and says of which host not all is there', async () => {
    writeFileSync(join(hosts.home('dc01-db1'), 'journal'), 'a\nb\n')
    writeFileSync(join(hosts.home('dc01-app1'), 'journal'), `${'c'.repeat(63)}\n`.repeat(20_000))
    const out = join(folder.path, 'incident')
    const { code, stdout, stderr } = await runHere(
      'logs',
      'collect',
      ...where,
      '--since',
      '2026-11-21 04:00',
      '--max-mb',
      '1',
      '--out',
      out,
    )
    expect({ code, stderr }).to.deep.equal({ code: 1, stderr: 'cinque: not all of 1 of 2 hosts\n' })
    expect(stdout).to.match(/^dc01-db1 +2 +0\.0 MB$/m)
    expect(stdout).to.match(/^dc01-app1 +16384 +1\.0 MB +cut after 1 MB: take a shorter time$/m)
    expect(readFileSync(join(out, 'dc01-db1.log'), 'utf8')).to.equal('a\nb\n')
    expect(statSync(join(out, 'dc01-app1.log')).mode & 0o77, 'nobody else reads it').to.equal(0)
    expect(asked('dc01-db1')).to.include('--unit cinque-* --unit cassandra --since=2026-11-21 04:00')

    const again = await runHere('logs', 'collect', ...where, '--out', out)
    expect(again.code).to.equal(2)
    expect(again.stderr).to.match(/incident is there already\n {2}Name another one: --out DIR/)
  })

  it('says that a host is off, and has the files of the others', async () => {
    await hosts.shutDown('dc01-db1')
    const out = join(folder.path, 'other')
    const { code, stdout } = await runHere('logs', 'collect', ...where, '--out', out)
    expect(code).to.equal(1)
    expect(stdout).to.match(/^dc01-db1 +0 +0\.0 MB +nothing listens for ssh there$/m)
    expect(existsSync(join(out, 'dc01-app1.log'))).to.equal(true)
    await hosts.boot('dc01-db1')
  })
})
