import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { errorLine } from '#scripts/output.ts'

export interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface CommandOptions {
  /** Text for its standard input, or a file that is read. */
  readonly input?: string | { readonly file: string }
  readonly timeoutMs?: number
  /** Both outputs also go there, a line at a time. */
  readonly onLine?: ((line: string) => void) | undefined
  readonly env?: NodeJS.ProcessEnv
}

const timeoutMs = 600_000
/** Programs of the system that not every shell looks for. */
const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` }
/** Of each output; more is cut at the front, where it says less of what went wrong. */
const maxOutput = 1_048_576

/** Runs a program to its end, without a shell. Never rejects: 127 when there is no such program. */
export function run(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { env: options.env ?? env, timeout: options.timeoutMs ?? timeoutMs })
    const written = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      let rest = ''
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        written[name] = (written[name] + chunk).slice(-maxOutput)
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) options.onLine?.(line)
      })
    }
    child.stdin.on('error', () => undefined)
    if (typeof options.input === 'object') createReadStream(options.input.file).pipe(child.stdin)
    else child.stdin.end(options.input ?? '')
    child.once('error', (error) => resolve({ code: 127, stdout: '', stderr: errorLine(error) }))
    child.once('close', (code) => resolve({ code: code ?? 1, ...written }))
  })
}

/** The same for a program that must not fail. Rejects with an Error that says what it said last. */
export async function must(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, options)
  if (code === 0) return stdout
  const said = `${stderr}\n${stdout}`
    .trim()
    .split('\n')
    .findLast((line) => line.trim() !== '')
  throw new Error(`${program} ${args.slice(0, 3).join(' ')}: ${said ?? `ended with ${code}`}`)
}
