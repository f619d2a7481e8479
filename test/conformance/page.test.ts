import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const SCRIPT = fileURLToPath(new URL('../../scripts/conformance.ts', import.meta.url))

describe('docs/conformance.md', () => {
  it('is up to date, and every statement that binds a server has a test', async () => {
    await promisify(execFile)(process.execPath, [SCRIPT, '--check'])
  })
})
