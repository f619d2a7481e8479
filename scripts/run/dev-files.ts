import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { runningFile, type Running } from '#scripts/client/target.ts'
import { CliError, errorCode, errorLine } from '#scripts/output.ts'

/** What `cinque dev` shows again at each start. The platform itself stores only hashes of these. */
const secretsSchema = z.object({
  token: z.string(),
  device: z.object({ id: z.string(), name: z.string(), key: z.string() }).nullable(),
})
export type Secrets = z.output<typeof secretsSchema>

const secretsFile = 'dev-secrets.json'

/** The files of `cinque dev` in its data directory, readable by their owner alone. */
export class DevFiles {
  readonly #directory: string

  /** The directory must be there. */
  constructor(directory: string) {
    this.#directory = directory
  }

  /** Undefined at the first start. */
  readSecrets(): Secrets | undefined {
    const file = join(this.#directory, secretsFile)
    try {
      return secretsSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined
      throw new CliError(`cannot read ${file}: ${errorLine(error)}`, {
        remedy: 'Delete it: the next start makes a new token, and says how to get a new device key.',
        cause: error,
      })
    }
  }

  writeSecrets(secrets: Secrets): void {
    this.#write(secretsFile, secrets)
  }

  /** Says to other commands where this process listens. */
  writeRunning(running: Running): void {
    this.#write(runningFile, running)
  }

  removeRunning(): void {
    rmSync(join(this.#directory, runningFile), { force: true })
  }

  #write(name: string, content: unknown): void {
    const file = join(this.#directory, name)
    writeFileSync(`${file}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600, flush: true })
    renameSync(`${file}.new`, file)
  }
}
