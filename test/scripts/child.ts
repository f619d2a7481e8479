import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { alarm } from '../patience.ts'

export const root = fileURLToPath(new URL('../../', import.meta.url))
export const entry = join(root, 'scripts', 'cinque.js')
const deadlineMs = 30_000
/** A folder that is not there: no contexts are known. */
const noConfiguration = join(tmpdir(), 'cinque-test-no-configuration')

export interface Finished {
  code: number | null
  stdout: string
  stderr: string
}

/** A command of the suite that runs; what it printed so far. */
export class Child {
  stdout = ''
  stderr = ''
  readonly process: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #watchers = new Set<() => void>()

  constructor(
    file: string,
    args: readonly string[],
    options: { cwd?: string; env?: NodeJS.ProcessEnv; stdio?: 'pipe'[] } = {},
  ) {
    this.process = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
    this.#exited = once(this.process, 'close')
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      for (const watch of this.#watchers) watch()
    })
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
  }

  /** Resolves with the match when stdout matches; rejects if the child ends before. */
  async said(pattern: RegExp): Promise<RegExpExecArray> {
    const found = Promise.withResolvers<RegExpExecArray>()
    const watch = (): void => {
      const match = pattern.exec(this.stdout)
      if (match !== null) found.resolve(match)
    }
    this.#watchers.add(watch)
    watch()
    const off = alarm(deadlineMs, () => found.reject(this.#failure(`did not say ${pattern}`)))
    void this.#exited.then(() => found.reject(this.#failure(`ended before it said ${pattern}`)))
    try {
      return await found.promise
    } finally {
      off()
      this.#watchers.delete(watch)
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal)
  }

  /** Waits for its end, by SIGKILL after the deadline. */
  async end(signal?: NodeJS.Signals): Promise<Finished> {
    if (signal !== undefined) this.process.kill(signal)
    const off = alarm(deadlineMs, () => this.process.kill('SIGKILL'))
    await this.#exited
    off()
    return { code: this.process.exitCode, stdout: this.stdout, stderr: this.stderr }
  }

  #failure(why: string): Error {
    return new Error(`the child ${why}; it said:\n${this.stdout}${this.stderr}`)
  }
}

/** The environment without configuration of the person who runs the tests. */
export function cleanEnv(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('CINQUE_'))
  return { ...Object.fromEntries(kept), XDG_CONFIG_HOME: noConfiguration, ...extra }
}

/** Starts `cinque` with these arguments. */
export function cinque(
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Child {
  return new Child(process.execPath, [entry, ...args], { env: cleanEnv(), ...options })
}

/** Runs `cinque` to its end. */
export async function run(args: readonly string[], cwd?: string): Promise<Finished> {
  return cinque(args, cwd === undefined ? {} : { cwd }).end()
}

/** A new empty folder, removed by `remove`. */
export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'cinque-test-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}
