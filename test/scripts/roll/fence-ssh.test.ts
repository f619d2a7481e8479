import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { pause } from '#scripts/pause.ts'
import type { Remote } from '#scripts/remote/remote.ts'
import { fencedRemote } from '#scripts/roll/fence.ts'
import { SshHosts } from '../../remote/sshd.ts'
import { temporaryFolder } from '../child.ts'

/** By a real sshd. */
describe('runners of rolls on a host', function () {
  if (process.platform !== 'linux') return

  const folder = temporaryFolder()
  const host = { name: 'dc01-db1' }
  let hosts: SshHosts
  let runner: (token: number) => Remote
  let file: (name: string) => string

  before(async function () {
    this.timeout(60_000)
    hosts = await SshHosts.start(folder.path)
    const directory = join(hosts.home(host.name), 'roll')
    runner = (token) => fencedRemote(hosts.remote, token, { directory, wait: 30 })
    file = (name) => join(hosts.home(host.name), name)
  })
  after(async () => {
    await hosts?.stop()
    folder.remove()
  })

  it('bring files under their token, too', async () => {
    const archive = file('from')
    writeFileSync(archive, Buffer.alloc(1_000_000, 'x'))
    await runner(1).run(host, `cat > ${file('to')}`, { input: { file: archive } })
    expect(readFileSync(file('to'), 'utf8')).to.have.length(1_000_000)
  })

  it('that were killed in the act leave nothing at work when the next one begins', async () => {
    const gone = new AbortController()
    const [begun, tidied] = [file('begun'), file('tidied')]
    const act = `trap 'sleep 0.5; touch ${tidied}; exit 1' TERM; touch ${begun}; sleep 60 & wait`
    const dying = runner(2).run(host, act, { signal: gone.signal })
    while (!existsSync(begun)) {
      // oxlint-disable-next-line no-await-in-loop -- until the host has begun
      await pause(20)
    }
    gone.abort()
    expect((await dying).failure).to.match(/interrupted/)
    const { stdout } = await runner(3).run(host, `ls ${tidied}`)
    expect(stdout.trim()).to.equal(tidied)
  })

  it('that were thought dead and come back are refused, and are told why', async () => {
    const harm = file('harm')
    const { failure } = await runner(2).run(host, `touch ${harm}`)
    expect(failure).to.equal('dc01-db1: a runner with a newer token (3) has been here; this one has 2')
    expect(existsSync(harm)).to.equal(false)
  })
})
