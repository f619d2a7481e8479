import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Logger } from '#platform/log.ts'
import { enginesDirectory } from './directory.ts'

const run = promisify(execFile)
const timeoutMs = 300_000

/** An unpacked program, which is not installed. */
export interface UnpackedPackage {
  /** Its `/`. */
  readonly root: string
  /** To be added to the environment of its programs, so that they find the libraries that the system lacks. */
  readonly env: { readonly LD_LIBRARY_PATH: string }
}

/**
 * A package of the Debian or Ubuntu release that this is, and the libraries it needs that are not installed: fetched
 * by apt, which checks them, and unpacked into the engines directory, without root. The first call on a machine does
 * it; several processes may ask at a time: what is made is renamed into place when it is whole. Scripts of the package
 * are not run.
 *
 * @throws Error of one line that says what is missing and the remedy
 */
export async function ensureDebianPackage(name: string, { log }: { log: Logger }): Promise<UnpackedPackage> {
  const engines = enginesDirectory()
  const home = path.join(engines, `${name}-${await releaseName()}-${process.arch}`)
  if (!existsSync(home)) {
    await mkdir(engines, { recursive: true })
    const workshop = await mkdtemp(path.join(engines, `.${name}-`))
    try {
      log.info({ event: 'debian.package', package: name }, `getting the package ${name}, once`)
      const root = path.join(workshop, 'root')
      await unpack(name, workshop, root)
      // Another process may have been faster; then its own is as good.
      await rename(root, home).catch((error: unknown) => {
        if (!existsSync(home)) throw error
      })
    } finally {
      await rm(workshop, { recursive: true, force: true })
    }
  }
  return { root: home, env: { LD_LIBRARY_PATH: (await libraryDirectories(home)).join(':') } }
}

/** `bookworm`: libraries of another release would not fit. */
async function releaseName(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '')
  return /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(text)?.[1] ?? 'unknown'
}

async function unpack(name: string, workshop: string, root: string): Promise<void> {
  const packages = [name, ...(await missingPackages(name, workshop))]
  const debs = path.join(workshop, 'debs')
  await mkdir(debs)
  await apt(name, workshop, ['download', ...packages], debs)
  await mkdir(root)
  for (const deb of await readdir(debs)) {
    await step(name, 'dpkg-deb', ['--extract', path.join(debs, deb), root])
  }
}

/** What apt would install beside it. */
async function missingPackages(name: string, workshop: string): Promise<string[]> {
  const plan = await apt(name, workshop, [
    'install',
    '--simulate',
    '--no-install-recommends',
    '--reinstall',
    name,
  ])
  const planned = plan.matchAll(/^Inst ([a-z0-9][a-z0-9+.-]+)/gm)
  return [...planned].map(([, one]) => one).filter((one) => one !== name)
}

/** Runs apt-get; where the system has no lists of packages, or old ones, with lists of its own. */
async function apt(name: string, workshop: string, args: readonly string[], cwd = workshop): Promise<string> {
  const lists = path.join(workshop, 'lists')
  const own = ['-o', `Dir::State::Lists=${lists}`, '-o', `Dir::Cache=${path.join(workshop, 'cache')}`]
  if (existsSync(lists)) return step(name, 'apt-get', [...own, ...args], cwd)
  try {
    return await step(name, 'apt-get', args, cwd)
  } catch (error) {
    if ((await systemHasLists()) && !String(error).includes('Failed to fetch')) throw error
    await mkdir(path.join(lists, 'partial'), { recursive: true })
    await mkdir(path.join(workshop, 'cache', 'archives', 'partial'), { recursive: true })
    await step(name, 'apt-get', [...own, 'update'], cwd)
    return step(name, 'apt-get', [...own, ...args], cwd)
  }
}

async function systemHasLists(): Promise<boolean> {
  const names = await readdir('/var/lib/apt/lists').catch(() => [])
  return names.some((one) => one.includes('_Packages'))
}

async function step(name: string, command: string, args: readonly string[], cwd?: string): Promise<string> {
  try {
    const { stdout } = await run(command, [...args], {
      cwd,
      timeout: timeoutMs,
      env: { ...process.env, LC_ALL: 'C' },
      maxBuffer: 16 * 1024 * 1024,
    })
    return stdout
  } catch (error) {
    const { code, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string }
    const last = (stderr ?? '')
      .trim()
      .split('\n')
      .findLast((line) => line.startsWith('E:'))
    const reason =
      code === 'ENOENT'
        ? `${command} is not there; this needs Debian or Ubuntu`
        : (last ?? message.split('\n')[0])
    throw new Error(`the package ${name} could not be had: ${reason}`, { cause: error })
  }
}

/** Where Debian has libraries: `usr/lib`, `lib`, and the architecture's directory in each. */
async function libraryDirectories(root: string): Promise<string[]> {
  const found: string[] = []
  for (const directory of ['usr/lib', 'lib'].map((one) => path.join(root, one))) {
    const entries = await readdir(directory, { withFileTypes: true }).catch(() => [])
    if (entries.length > 0) found.push(directory)
    for (const entry of entries) {
      if (entry.isDirectory() && entry.name.endsWith('-linux-gnu'))
        found.push(path.join(directory, entry.name))
    }
  }
  return found
}
