import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Host } from '#platform/inventory/inventory.ts'
import { CliError, errorCode } from '#scripts/output.ts'
import { journalCommand, type JournalQuery } from './journal.ts'
import type { Remote } from './remote.ts'
import { together } from './together.ts'

export interface Collected {
  readonly host: string
  readonly file: string
  readonly lines: number
  readonly bytes: number
  /** It has more than `maxBytes`; what is newer is missing. */
  readonly cut: boolean
  readonly failure: string | null
}

/** Hosts at a time. */
const at = 8
const collectMs = 1_800_000

/** Makes a directory for what hosts said; CliError if it is there. */
export function newDirectory(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
    throw new CliError(`${directory} is there already`, {
      exitCode: 2,
      remedy: 'Name another one: --out DIR',
    })
  }
}

/** Writes the journal of each host into a file of its own, `HOST.log`; never rejects for a host. */
export function collect(
  remote: Remote,
  hosts: readonly Host[],
  options: { query: JournalQuery; directory: string; maxBytes: number; signal: AbortSignal },
): Promise<Collected[]> {
  const { query, directory, maxBytes, signal } = options
  const command = `${journalCommand(query, '--output=short-iso-precise')} | head -c ${maxBytes}`
  return together(hosts, at, async ({ name }) => {
    const file = join(directory, `${name}.log`)
    const handle = openSync(file, 'wx', 0o600)
    let [lines, bytes] = [0, 0]
    try {
      const { failure, code, stderr } = await remote.run({ name }, command, {
        timeoutMs: collectMs,
        signal,
        onLine: (line, from) => {
          if (from === 'stderr') return
          bytes += writeSync(handle, `${line}\n`)
          lines++
        },
      })
      const why = failure ?? (code === 0 && stderr === '' ? null : (stderr.trim().split('\n').at(-1) ?? null))
      return { host: name, file, lines, bytes, cut: bytes >= maxBytes, failure: why }
    } finally {
      closeSync(handle)
    }
  })
}
