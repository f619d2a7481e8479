import { chmodSync, renameSync, writeFileSync } from 'node:fs'
import { nodeFigures } from '#cassandra/figures.ts'
import { Metrics } from '#platform/metrics.ts'
import { StoreError } from '#platform/store/store.ts'
import { credentialsOf, pemsOf } from '#scripts/cell/member-config.ts'
import { CliError, errorLine } from '#scripts/output.ts'
import { stderrLogger } from './logger.ts'

/** Which node, and who asks it. */
export interface FiguresOptions {
  address: string
  dc: string
  keyspace: string
  username?: string
  passwordFile?: string
  ca?: string
  cert?: string
  key?: string
  /** File that is replaced; absent: printed. */
  out?: string
}

/** Prints the figures of a node, or replaces the file `out` with them. CliError. */
export async function showFigures(options: FiguresOptions): Promise<void> {
  const { address, dc, keyspace, username, passwordFile, ca, cert, key, out } = options
  let figures: string
  try {
    const connection = {
      contactPoints: [address],
      localDc: dc,
      log: stderrLogger('warn', new Metrics()),
      ...credentialsOf({ username, password_file: passwordFile }),
      ...pemsOf(ca === undefined ? undefined : { ca, cert, key }),
    }
    figures = await nodeFigures(connection, keyspace)
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    throw new CliError(error.message, { cause: error })
  }
  if (out === undefined) {
    process.stdout.write(figures)
    return
  }
  try {
    writeFileSync(`${out}.new`, figures)
    // Another user reads it, whatever our umask is.
    chmodSync(`${out}.new`, 0o644)
    renameSync(`${out}.new`, out)
  } catch (error) {
    throw new CliError(`--out: ${errorLine(error)}`, { cause: error })
  }
}
