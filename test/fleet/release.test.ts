import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { must } from '#scripts/child-process.ts'
import { packRelease } from '#scripts/fleet/release.ts'
import { temporaryFolder } from '../scripts/child.ts'

const folders = ['api', 'broker', 'cassandra', 'healthcheck', 'platform', 'scripts', 'client', 'puppet']

describe('a release for hosts', () => {
  const folder = temporaryFolder()
  let tree: string
  let out: string
  let made = 0

  beforeEach(() => {
    tree = join(folder.path, `tree${++made}`)
    out = join(folder.path, `out${made}`)
    for (const name of folders) {
      mkdirSync(join(tree, name), { recursive: true })
      writeFileSync(join(tree, name, 'a.ts'), `// ${name}\n`)
    }
    const node = `node_modules/node-linux-${process.arch}/bin`
    for (const path of [node, 'node_modules/used', 'node_modules/tester'])
      mkdirSync(join(tree, path), { recursive: true })
    writeFileSync(join(tree, node, 'node'), 'program')
    writeFileSync(join(tree, 'node_modules/used/index.js'), '')
    const packages = { '': {}, 'node_modules/used': {}, 'node_modules/tester': { dev: true } }
    writeFileSync(join(tree, 'package-lock.json'), JSON.stringify({ packages }))
    writeFileSync(join(tree, 'package.json'), JSON.stringify({ version: '1.2.3' }))
  })
  afterEach(() => folder.remove())

  it('has what runs, with Node, and nothing for development', async () => {
    const release = await packRelease(tree, out)
    expect(release).to.match(/^1\.2\.3-[0-9a-f]{12}$/)
    const listed = (await must('tar', ['-tf', join(out, `cinque-${release}.tar`)])).split('\n')
    expect(listed).to.include.members(['api/a.ts', 'bin/node', 'node_modules/used/index.js', 'package.json'])
    expect(listed.filter((name) => /tester|package-lock/.test(name))).to.deep.equal([])
  })

  it('has the same name for the same contents, wherever they are, and another one for others', async () => {
    const first = await packRelease(tree, out)
    symlinkSync(tree, `${tree}-again`)
    expect(await packRelease(`${tree}-again`, out)).to.equal(first)
    writeFileSync(join(tree, 'api/a.ts'), '// better\n')
    expect(await packRelease(tree, out)).not.to.equal(first)
    expect(readdirSync(out).filter((name) => name.endsWith('.tar'))).to.have.length(2)
  })

  it('does not fill the disk: the last four stay', async () => {
    const names: string[] = []
    for (let at = 0; at < 6; at++) {
      writeFileSync(join(tree, 'api/a.ts'), `// ${at}\n`)
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      names.push(`cinque-${await packRelease(tree, out)}.tar`)
    }
    expect(readdirSync(out).toSorted()).to.deep.equal(names.slice(2).toSorted())
  })

  it('is not made of a checkout without its packages', async () => {
    await must('rm', ['-r', join(tree, 'node_modules')])
    const failure = await packRelease(tree, out).catch((error: Error) => error.message)
    expect(failure).to.match(/^there is no .*bin\/node$/)
  })
})
