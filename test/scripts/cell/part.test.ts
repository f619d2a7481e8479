import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { launch } from '#scripts/cell/launch.ts'
import { textFrom } from '#scripts/cell/log-file.ts'
import { Part } from '#scripts/cell/part.ts'
import { root, temporaryFolder } from '../child.ts'

const alive = (pid: number): boolean => {
  try {
    // A process that nobody has waited for yet is there, but has no command line.
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== ''
  } catch {
    return false
  }
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 10))
}

describe('a process of a cell', () => {
  let folder: ReturnType<typeof temporaryFolder>
  let said: string[]
  let parts: Part[]

  beforeEach(() => {
    folder = temporaryFolder()
    said = []
    parts = []
  })
  afterEach(async () => {
    await Promise.all(parts.map((one) => one.retire()))
    folder.remove()
  })

  function part(script: string, name = 'dc01-n1-broker1'): Part {
    const log = join(folder.path, `${name}.log`)
    const made = new Part({
      name,
      kind: 'broker',
      dc: 'dc01',
      host: 'dc01-n1',
      at: '127.0.0.1:1',
      log,
      directory: folder.path,
      say: (line) => void said.push(line),
      launch: () =>
        launch({
          file: process.execPath,
          args: ['-e', script, folder.path],
          log,
          readyLine: /^ready/m,
          readyMs: 10_000,
        }),
    })
    parts.push(made)
    return made
  }
  const lasting = 'console.log("ready"); setInterval(() => {}, 1000)'

  it('is started again when it crashes, so that a DC heals by itself', async () => {
    const one = part(lasting)
    await one.start()
    const first = one.pid
    one.crash()
    await until(() => one.state === 'running' && one.pid !== first)
    expect(one.status()).to.include({ crashes: 1 })
    expect(said[0]).to.match(/dc01-n1-broker1 ended by SIGKILL; starting it again in 0\.5 s \(log: /)
  })

  it('stays down when it was killed or stopped on purpose, until it is started', async () => {
    const one = part(lasting)
    await one.start()
    const { pid } = one
    await one.kill()
    expect(one.status()).to.include({ state: 'killed', pid: null, crashes: 0, problem: null })
    expect(alive(pid ?? 0)).to.be.false
    await one.start()
    expect(one.state).to.equal('running')
    await one.stop()
    expect(one.state).to.equal('stopped')
    expect(said).to.be.empty
  })

  it('says why it could not be started, in one line with its log', async () => {
    const one = part('console.error("cinque: port 1883 is in use\\n  take another"); process.exit(1)')
    const error = await one.start().catch((failure: Error) => failure)
    expect(String(error)).to.match(
      /dc01-n1-broker1: ended with code 1: cinque: port 1883 is in use \(log: \/.*\.log\)/,
    )
    expect(one.state).to.equal('killed')
  })

  it('is killed when it does not end by itself in time', async () => {
    const one = part(`process.on('SIGTERM', () => {}); ${lasting}`)
    await one.start()
    await one.stop(200)
    expect(one.state).to.equal('stopped')
  })

  it('can stand still, and be stopped while it does', async () => {
    const one = part(lasting)
    await one.start()
    one.freeze()
    expect(one.state).to.equal('frozen')
    await one.stop()
    expect(one.pid).to.be.null
  })

  it('that crashes again and again is tried less and less often, and never given up', async () => {
    const counter = join(folder.path, 'starts')
    writeFileSync(counter, '')
    const one = part(
      `require('fs').appendFileSync(${JSON.stringify(counter)}, 'x'); console.log("ready"); process.exit(3)`,
    )
    await one.start()
    await until(() => readFileSync(counter, 'utf8').length >= 3)
    expect(said.join('\n')).to.match(/again in 0\.5 s[\s\S]*again in 1 s/)
  })

  it('left by a launcher that was killed is ended by the next one', async () => {
    const child = spawn(process.execPath, ['-e', lasting, folder.path], { stdio: 'pipe' })
    await once(child.stdout, 'data')
    const one = part(lasting, 'orphan')
    await one.start()
    await one.kill()
    writeFileSync(join(folder.path, 'run', 'orphan.pid'), `${child.pid}\n`)
    expect(await one.endOrphan()).to.be.true
    expect(alive(child.pid ?? 0)).to.be.false
  })

  it('that only has the pid of one that ended long ago is left alone', async () => {
    const one = part(lasting, 'orphan')
    await one.start()
    await one.kill()
    writeFileSync(join(folder.path, 'run', 'orphan.pid'), `${process.pid}\n`)
    expect(await one.endOrphan()).to.be.false
  })

  it('ends with the launcher, also when that is killed: nothing keeps the ports', async () => {
    const log = join(folder.path, 'child.log')
    const launcher = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import { launch } from ${JSON.stringify(join(root, 'scripts/cell/launch.ts'))}
         const one = launch({ file: process.execPath, args: ['-e', ${JSON.stringify(lasting)}], log: ${JSON.stringify(log)}, readyLine: /ready/, readyMs: 10000 })
         await one.ready
         console.log(one.pid)
         setInterval(() => {}, 1000)`,
      ],
      { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const [text] = (await once(launcher.stdout, 'data')) as [Buffer]
    const pid = Number(String(text).trim())
    expect(alive(pid)).to.be.true
    launcher.kill('SIGKILL')
    await until(() => !alive(pid))
  })

  it('has its outputs in its log, each start behind the last', async () => {
    const one = part(lasting)
    await one.start()
    await one.kill()
    await one.start()
    expect(textFrom(one.options.log, 0)).to.equal('ready\nready\n')
  })
})
