import { readFileSync } from 'node:fs'
import { CliError, errorLine } from '#scripts/output.ts'

/** A secret out of its file. CliError that names the key of the configuration. */
export function readSecret(file: string, key: string): string {
  try {
    const secret = readFileSync(file, 'utf8').trim()
    if (secret !== '') return secret
  } catch (error) {
    throw new CliError(`${key}: cannot read ${file}: ${errorLine(error)}`, { exitCode: 2, cause: error })
  }
  throw new CliError(`${key}: ${file} is empty`, { exitCode: 2 })
}
