import { execFile } from 'node:child_process'

export interface CommandResult {
  /** Exit code; 127: there is no such program. */
  readonly code: number
  /** What it wrote to both outputs. */
  readonly output: string
}

/** Runs a program to its end, without a shell. Never rejects. */
export function runCommand(
  program: string,
  args: readonly string[],
  options: { timeoutMs?: number; env?: Record<string, string> } = {},
): Promise<CommandResult> {
  return new Promise((done) => {
    execFile(
      program,
      args,
      {
        maxBuffer: 16 * 1024 * 1024,
        timeout: options.timeoutMs ?? 600_000,
        env: { ...process.env, ...options.env },
      },
      (error, stdout, stderr) => {
        const output = stdout + stderr
        if (error === null) done({ code: 0, output })
        else if (error.code === 'ENOENT') done({ code: 127, output: `${program}: not found` })
        else done({ code: typeof error.code === 'number' ? error.code : 1, output })
      },
    )
  })
}

/** The line of a program's output that says what went wrong. */
export function lastLine(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  return (lines.find((line) => line.includes('ERROR') || line.startsWith('E:')) ?? lines.at(-1) ?? '').trim()
}
