import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { root, temporaryFolder } from '../scripts/child.ts'

const execute = promisify(execFile)

describe('the client as it is published', () => {
  let folder: ReturnType<typeof temporaryFolder>
  before(async () => {
    folder = temporaryFolder()
    // With the types of browsers and without those of Node: what compiles runs in both.
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    await execute(process.execPath, [tsc, '-p', join(root, 'client'), '--outDir', folder.path])
  })
  after(() => folder.remove())

  it('imports nothing but itself and openapi-fetch', () => {
    const files = readdirSync(folder.path)
    expect(files).to.include.members(['index.js', 'index.d.ts', 'schema.d.ts'])
    for (const file of files.filter((name) => name.endsWith('.js'))) {
      const text = readFileSync(join(folder.path, file), 'utf8')
      for (const [, from] of text.matchAll(/(?:from|import) '([^']+)'/g))
        expect(from, file).to.match(/^\.\/[a-z-]+\.js$|^openapi-fetch$/)
    }
  })

  it('runs as plain JavaScript', async () => {
    writeFileSync(join(folder.path, 'package.json'), '{"type":"module"}')
    symlinkSync(join(root, 'node_modules'), join(folder.path, 'node_modules'))
    const script = `import { createClient, UnreachableError } from './index.js'
const client = createClient({ url: 'http://127.0.0.1:2', retries: 0 })
client.get('/v1/devices').catch((error) => console.log(error instanceof UnreachableError, error.message))`
    writeFileSync(join(folder.path, 'try.js'), script)
    const { stdout } = await execute(process.execPath, [join(folder.path, 'try.js')])
    expect(stdout).to.equal('true cannot reach http://127.0.0.1:2\n')
  })
})
