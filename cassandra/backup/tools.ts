import type { Engine } from '../local/engine.ts'
import { toolFlags } from '../local/java-flags.ts'
import { lastLine, runCommand } from '../local/run-command.ts'
import { BackupError } from '#platform/backup/backup-error.ts'

/** Programs of Cassandra's own: command and first arguments. */
export interface Tools {
  readonly nodetool: readonly string[]
  readonly sstableloader: readonly string[]
}

/** Those of the local engine, for a node whose configuration is `yaml`. */
export function engineTools(engine: Engine, jmxPort: number, yaml: string): Tools {
  const java = (main: string): string[] => [engine.java, ...toolFlags(engine), main]
  return {
    nodetool: [...java('org.apache.cassandra.tools.NodeTool'), '-h', '127.0.0.1', '-p', String(jmxPort)],
    sstableloader: [...java('org.apache.cassandra.tools.BulkLoader'), '-f', yaml],
  }
}

/** A load of a large table takes hours on a slow line. */
const limitMs = 12 * 3_600_000

/** @throws BackupError `failed` with what the program says */
export async function runTool(command: readonly string[], args: readonly string[]): Promise<void> {
  const [program, ...first] = command
  const { code, output } = await runCommand(program, [...first, ...args], { timeoutMs: limitMs })
  if (code === 0) return
  const what = `${command.length > 3 ? (command.find((one) => one.startsWith('org.apache.cassandra.tools.')) ?? program) : command.join(' ')} ${args[0]}`
  throw new BackupError('failed', `${what}: ${lastLine(output) || `it ended with ${code}`}`)
}
