import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { ensureDebianPackage } from '#platform/engines/debian-package.ts'
import { createLogger } from '#platform/log.ts'

const run = promisify(execFile)
const log = createLogger({ level: 'silent' })

describe('packages of Debian that are not installed', () => {
  it('run from where they are unpacked, with the libraries that the system lacks', async () => {
    const [first, second] = await Promise.all([
      ensureDebianPackage('gdnsd', { log }),
      ensureDebianPackage('gdnsd', { log }),
    ])
    expect(second).to.deep.equal(first)
    const { stdout } = await run('ldd', [path.join(first.root, 'usr/sbin/gdnsd')], {
      env: { ...process.env, ...first.env },
    })
    expect(stdout).not.to.match(/not found/)
  }).timeout(120_000)

  it('are named when there is no such package', async () => {
    const error = await ensureDebianPackage('no-such-package-at-all', { log }).then(
      () => undefined,
      (reason: Error) => reason,
    )
    expect(error?.message).to.match(/^the package no-such-package-at-all could not be had: E: /)
  }).timeout(120_000)
})
