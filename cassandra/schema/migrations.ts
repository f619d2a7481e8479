import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** One numbered file of CQL. */
export interface Migration {
  readonly number: number
  /** `001-tables` */
  readonly name: string
  readonly statements: readonly string[]
  /** Of its statements: a file that was applied must not change. */
  readonly checksum: string
}

const ownDirectory = fileURLToPath(new URL('.', import.meta.url))

/** The migrations that this program knows, in order from 1. */
export function readMigrations(directory = ownDirectory): Migration[] {
  const migrations = readdirSync(directory)
    .filter((file) => /^\d{3}-[\w-]+\.cql$/.test(file))
    .toSorted()
    .map((file) => readMigration(directory, file))
  for (const [index, { number, name }] of migrations.entries()) {
    if (number !== index + 1) throw new Error(`migration ${name}: expected number ${index + 1}`)
  }
  return migrations
}

function readMigration(directory: string, file: string): Migration {
  const statements = readFileSync(join(directory, file), 'utf8')
    .split('\n')
    .filter((line) => !line.startsWith('--'))
    .join('\n')
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
  const checksum = createHash('sha256').update(statements.join(';')).digest('hex').slice(0, 16)
  return { number: Number.parseInt(file, 10), name: file.replace(/\.cql$/, ''), statements, checksum }
}
