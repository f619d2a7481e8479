import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from '#platform/log.ts'
import { EngineError } from './engine-error.ts'
import { lastLine, runCommand } from './run-command.ts'
import { versions } from './versions.ts'

export interface Java {
  /** The program. */
  readonly java: string
  /** As it says itself: "17.0.15". */
  readonly version: string
}

/** Where Linux distributions put their Javas. */
const jvmDirectory = '/usr/lib/jvm'

/** A Java that the engine runs on: $JAVA_HOME, the PATH, /usr/lib/jvm; installed by apt-get where we may. */
export async function ensureJava(log: Logger): Promise<Java> {
  const found = await findJava()
  if (found !== null) return found
  await installPackages(log, ['openjdk-17-jre-headless'], 'Java 17')
  const installed = await findJava()
  if (installed !== null) return installed
  throw new EngineError(
    `no Java ${versions.javaFrom} to ${versions.javaTo} was found: install one (Debian: apt-get install openjdk-17-jre-headless) or set JAVA_HOME`,
  )
}

async function findJava(): Promise<Java | null> {
  const home = process.env.JAVA_HOME
  const candidates = [...(home === undefined || home === '' ? [] : [join(home, 'bin/java')]), 'java']
  if (existsSync(jvmDirectory)) {
    for (const name of readdirSync(jvmDirectory).toSorted())
      candidates.push(join(jvmDirectory, name, 'bin/java'))
  }
  for (const java of candidates) {
    // oxlint-disable-next-line no-await-in-loop -- the first that fits
    const { code, output } = await runCommand(java, ['-version'], { timeoutMs: 30_000 })
    const version = code === 0 ? /version "([^"]+)"/.exec(output)?.[1] : undefined
    if (version === undefined) continue
    const major = Number.parseInt(version, 10)
    if (major >= versions.javaFrom && major <= versions.javaTo) return { java, version }
  }
  return null
}

/** Installs Debian packages when this process may. EngineError names the packages when it may not, or it fails. */
export async function installPackages(log: Logger, packages: readonly string[], what: string): Promise<void> {
  const command = `apt-get install ${packages.join(' ')}`
  if (process.getuid?.() !== 0) {
    throw new EngineError(`${what} is missing, and only root may install it: run \`sudo ${command}\``)
  }
  log.info({ event: 'engine.install', packages }, `installing ${what} (${command})`)
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  const args = ['install', '-y', '--no-install-recommends', ...packages]
  let result = await runCommand('apt-get', args, { env })
  if (result.code !== 0 && result.code !== 127) {
    await runCommand('apt-get', ['update'], { env })
    result = await runCommand('apt-get', args, { env })
  }
  if (result.code !== 0)
    throw new EngineError(`${what} is missing, and \`${command}\` failed: ${lastLine(result.output)}`)
}
