import {
  chmodSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  closeSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { nearest } from '#scripts/nearest.ts'
import { CliError, errorCode, errorLine } from '#scripts/output.ts'
import { pause } from '#scripts/pause.ts'

/** What opens a platform: a token that stays, or a session whose access token is made new from time to time. */
const contextSchema = z.object({
  urls: z.array(z.string()).min(1),
  /** Of requests that name none. */
  organisation: z.string().optional(),
  token: z.string().optional(),
  session: z
    .object({
      email: z.string(),
      id: z.string(),
      access: z.string(),
      /** Milliseconds since 1970. */
      expires_at: z.number(),
      refresh: z.string(),
    })
    .optional(),
})
const fileSchema = z.object({
  current: z.string().nullable(),
  contexts: z.record(z.string(), contextSchema),
})

export type Context = z.output<typeof contextSchema>
type Contexts = z.output<typeof fileSchema>

/** The context that is always there: the `cinque dev` that runs in this directory. */
export const devContext = 'dev'

/** Milliseconds after which a lock is that of a process that has died. */
const staleMs = 30_000
const lockStepMs = 50

/** The file that keeps contexts: in XDG_CONFIG_HOME, else ~/.config; readable by its owner alone. */
export class ContextFile {
  readonly #directory: string

  constructor(env: NodeJS.ProcessEnv = process.env) {
    const base = env.XDG_CONFIG_HOME
    this.#directory = join(base === undefined || base === '' ? join(homedir(), '.config') : base, 'cinque')
  }

  read(): Contexts {
    const file = this.#path('contexts.json')
    try {
      return fileSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return { current: null, contexts: {} }
      throw new CliError(`cannot read ${file}: ${errorLine(error)}`, {
        remedy: 'Delete it, and log in again.',
        cause: error,
      })
    }
  }

  /** The one with this name, or the current one. Undefined: the running `cinque dev`. CliError if it is unknown. */
  find(name: string | undefined): (Context & { name: string }) | undefined {
    const { current, contexts } = this.read()
    const wanted = name ?? current ?? devContext
    if (Object.hasOwn(contexts, wanted)) return { ...contexts[wanted], name: wanted }
    if (wanted === devContext) return undefined
    const near = nearest(wanted, Object.keys(contexts))
    throw new CliError(
      `there is no context "${wanted}"${near === undefined ? '' : `; did you mean ${near}?`}`,
      { exitCode: 2, remedy: '`cinque context list` shows them.' },
    )
  }

  /** Changes the file while no other process does. */
  async change<T>(change: (contexts: Contexts) => T | Promise<T>): Promise<T> {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
    const lock = this.#path('contexts.lock')
    await take(lock)
    try {
      const contexts = this.read()
      const result = await change(contexts)
      this.#write(contexts)
      return result
    } finally {
      rmSync(lock, { force: true })
    }
  }

  #write(contexts: Contexts): void {
    const file = this.#path('contexts.json')
    writeFileSync(`${file}.new`, `${JSON.stringify(contexts, null, 2)}\n`, { mode: 0o600, flush: true })
    // The mode above is that of a new file only.
    chmodSync(`${file}.new`, 0o600)
    renameSync(`${file}.new`, file)
  }

  #path(name: string): string {
    return join(this.#directory, name)
  }
}

async function take(lock: string): Promise<void> {
  for (;;) {
    try {
      closeSync(openSync(lock, 'wx', 0o600))
      return
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error
    }
    const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
    if (age > staleMs) rmSync(lock, { force: true })
    // oxlint-disable-next-line no-await-in-loop -- the other process is at work
    else await pause(lockStepMs)
  }
}
