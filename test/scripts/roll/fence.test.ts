import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { quote } from '#scripts/remote/shell.ts'
import { busyCode, fenced, refusedCode } from '#scripts/roll/fence.ts'

/** By a real shell, with real locks. */
describe('a command under a token', function () {
  if (process.platform !== 'linux') return

  let directory: string

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "cinque fence'"))
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  const at = (token: number, command: string, wait = 20): string =>
    fenced(token, command, { wait, directory })
  const run = (command: string, input = ''): Promise<{ code: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      const child = execFile('/bin/sh', ['-c', command], (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
      )
      // A command that is refused ends without reading it.
      child.stdin?.on('error', () => undefined)
      child.stdin?.end(input)
    })

  it('is run, with its input, and answers what it answers', async () => {
    expect(await run(at(1, 'cat; exit 3'), "a 'b'")).to.include({ code: 3, stdout: "a 'b'" })
    expect(readFileSync(join(directory, 'token'), 'utf8')).to.equal('1\n')
  })

  it('is refused where a runner with a newer one has been: one that was thought dead does no harm', async () => {
    const file = join(directory, 'harm')
    expect((await run(at(12, 'true'))).code).to.equal(0)
    const { code, stderr } = await run(at(9, `touch ${quote(file)}`))
    expect(code).to.equal(refusedCode)
    expect(stderr.trim()).to.equal('a runner with a newer token (12) has been here; this one has 9')
    expect(existsSync(file)).to.equal(false)
    expect((await run(at(12, 'true'))).code, 'the same again').to.equal(0)
  })

  it('is never run together with another one: the next runner waits for what the last one has begun', async () => {
    const first = spawn('/bin/sh', ['-c', at(1, 'echo begun; read go; echo done >&2')])
    await once(first.stdout, 'data')
    expect((await run(at(2, 'true', 0))).code).to.equal(busyCode)
    const next = run(at(2, 'echo mine'))
    first.stdin.end('go\n')
    await once(first, 'close')
    expect(await next).to.include({ code: 0, stdout: 'mine\n' })
  })

  it('is ended by a signal before its lock is free: nothing of it goes on beside the next', async () => {
    const script = "trap 'sleep 0.3; echo tidied; exit 1' TERM; echo begun; sleep 30 & wait"
    const first = spawn('/bin/sh', ['-c', at(1, script)], {
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let said = ''
    first.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    await once(first.stdout, 'data')
    process.kill(-(first.pid ?? 0), 'SIGTERM')
    expect((await run(at(2, 'true'))).code).to.equal(0)
    expect(said).to.equal('begun\ntidied\n')
  })

  it('holds nobody up by what it leaves in the background', async () => {
    const { stdout } = await run(at(1, 'sleep 60 >/dev/null 2>&1 & echo $!'))
    try {
      expect((await run(at(2, 'true', 0))).code).to.equal(0)
    } finally {
      process.kill(Number(stdout), 'SIGKILL')
    }
  })

  it('takes a file that a power cut has emptied for none', async () => {
    writeFileSync(join(directory, 'token'), '')
    expect((await run(at(1, 'true'))).code).to.equal(0)
  })
})
