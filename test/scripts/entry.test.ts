import { chmodSync, cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { Child, cleanEnv, type Finished, root, temporaryFolder } from './child.ts'

/** Makes process.version that of an older Node, before the entry point looks. */
const old = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'18.19.0'}});Object.defineProperty(process,'version',{value:'v18.19.0'})`

describe('entry point of an installed package', () => {
  let folder: ReturnType<typeof temporaryFolder>
  let modules: string
  let entry: string
  beforeEach(() => {
    folder = temporaryFolder()
    modules = join(folder.path, 'node_modules')
    const here = join(modules, 'cinque')
    mkdirSync(here, { recursive: true })
    for (const part of ['api', 'broker', 'client', 'healthcheck', 'platform', 'scripts', 'package.json']) {
      cpSync(join(root, part), join(here, part), { recursive: true })
    }
    entry = join(here, 'scripts', 'cinque.js')
  })
  afterEach(() => folder.remove())

  function linkDependencies(): void {
    for (const name of readdirSync(join(root, 'node_modules'))) {
      if (!name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(modules, name))
    }
  }

  function run(...args: string[]): Promise<Finished> {
    return new Child(process.execPath, args, { env: cleanEnv(), cwd: folder.path }).end()
  }

  it('runs its TypeScript, which Node does not do below node_modules', async () => {
    linkDependencies()
    expect(await run(entry, '--version')).to.include({ code: 0, stderr: '' })
    const child = new Child(
      process.execPath,
      [entry, 'dev', '--memory', '--mqtt-port', '0', '--http-port', '0'],
      {
        env: cleanEnv(),
        cwd: folder.path,
      },
    )
    await child.said(/npx cinque tail --url/)
    expect(await child.end('SIGTERM')).to.include({ code: 0, stderr: '' })
  })

  it('goes on under the Node of its optional dependency when the own one is too old', async () => {
    const bundled = join(modules, `node-${process.platform}-${process.arch}`)
    mkdirSync(join(bundled, 'bin'), { recursive: true })
    writeFileSync(join(bundled, 'package.json'), '{}')
    writeFileSync(join(bundled, 'bin', 'node'), '#!/bin/sh\nshift 2\necho "bundled $*"\nexit 3\n')
    chmodSync(join(bundled, 'bin', 'node'), 0o755)
    expect(await run('--import', old, entry, 'devices', 'list')).to.include({
      code: 3,
      stdout: 'bundled devices list\n',
    })
  })

  it('says in a sentence what it needs when there is none', async () => {
    const { code, stdout, stderr } = await run('--import', old, entry, 'dev')
    expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' })
    expect(stderr).to.match(
      /^cinque: needs Node 24 or newer, this is v18\.19\.0\.\nInstall it from https:\/\/nodejs\.org/,
    )
  })
})
