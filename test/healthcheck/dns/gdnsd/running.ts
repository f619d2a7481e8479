import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { type GdnsdOptions, gdnsdFiles, gdnsdStateFile } from '#healthcheck/dns/gdnsd/config.ts'
import { ensureDebianPackage } from '#platform/engines/debian-package.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { createLogger } from '#platform/log.ts'

const run = promisify(execFile)

/** A real gdnsd with the files of an inventory in a directory of its own. */
export interface Gdnsd {
  readonly host: string
  readonly port: number
  /** Where it reads the states of hosts. */
  readonly stateFile: string
  stop(): Promise<void>
}

interface Prepared {
  readonly directory: string
  readonly program: string
  readonly env: NodeJS.ProcessEnv
}

/** Writes the files; `checkconf` must find nothing wrong with them. Rejects with what it says. */
export async function checkGdnsd(inventory: Inventory, options: Partial<GdnsdOptions> = {}): Promise<string> {
  const prepared = await prepare(inventory, { listen: ['127.0.0.1:5355'], ...options })
  try {
    return await check(prepared)
  } finally {
    rmSync(prepared.directory, { recursive: true, force: true })
  }
}

export async function startGdnsd(
  inventory: Inventory,
  at: { host: string; port: number },
  options: Partial<GdnsdOptions>,
  states: string,
): Promise<Gdnsd> {
  const prepared = await prepare(inventory, { listen: [`${at.host}:${at.port}`], ...options })
  const stateFile = path.join(prepared.directory, 'state', 'extfile', gdnsdStateFile)
  writeFileSync(stateFile, states)
  await check(prepared)
  const child = spawn(prepared.program, ['-c', path.join(prepared.directory, 'etc'), 'start'], {
    env: prepared.env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  await listening(child)
  return {
    ...at,
    stateFile,
    async stop() {
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      await gone
      rmSync(prepared.directory, { recursive: true, force: true })
    },
  }
}

async function prepare(inventory: Inventory, options: GdnsdOptions): Promise<Prepared> {
  const { root, env } = await ensureDebianPackage('gdnsd', { log: createLogger({ level: 'silent' }) })
  const directory = mkdtempSync(path.join(tmpdir(), 'gdnsd-'))
  const [etc, runDirectory, stateDirectory] = ['etc', 'run', 'state'].map((one) => path.join(directory, one))
  for (const one of [
    path.join(etc, 'zones'),
    path.join(etc, 'geoip'),
    runDirectory,
    path.join(stateDirectory, 'extfile'),
  ]) {
    mkdirSync(one, { recursive: true })
  }
  for (const [name, text] of gdnsdFiles(inventory, { ...options, runDirectory, stateDirectory })) {
    writeFileSync(path.join(etc, name), text)
  }
  return { directory, program: path.join(root, 'usr/sbin/gdnsd'), env: { ...process.env, ...env } }
}

/** What it says beside errors; most of it are warnings. */
async function check({ program, directory, env }: Prepared): Promise<string> {
  try {
    return (await run(program, ['-c', path.join(directory, 'etc'), 'checkconf'], { env })).stderr
  } catch (error) {
    throw new Error(`gdnsd refuses its configuration: ${(error as { stderr?: string }).stderr}`, {
      cause: error,
    })
  }
}

/** It logs to its standard error in the foreground. */
async function listening(child: ChildProcess): Promise<void> {
  let said = ''
  const ready = new Promise<void>((resolve, reject) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('DNS listeners started')) resolve()
    })
    child.once('exit', (code) => reject(new Error(`gdnsd ended with ${code}: ${said}`)))
  })
  await ready
}
