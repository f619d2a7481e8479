import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { errorLine } from '#scripts/output.ts'

export interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export type OutputName = 'stdout' | 'stderr'

export interface CommandOptions {
  /** Text for its standard input, or a file that is read. */
  readonly input?: string | { readonly file: string }
  /** Its standard input has no end while it runs, and nothing in it. */
  readonly holdInput?: boolean
  readonly timeoutMs?: number
  /** Ends it; it then finishes with 130. */
  readonly signal?: AbortSignal | undefined
  /** Both outputs also go there, a line at a time. */
  readonly onLine?: ((line: string, from: OutputName) => void) | undefined
  readonly env?: NodeJS.ProcessEnv
}

/** What a shell says of a program that was interrupted, and `timeout` of one that took too long. */
const interrupted = 130
export const tookTooLong = 124
const timeoutMs = 600_000
/** Programs of the system that not every shell looks for. */
const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` }
/** Of each output, in characters; more is cut at the front, where it says less of what went wrong. */
const maxOutput = 1_048_576

/**
 * Runs a program to its end, without a shell. Never rejects: 127 when there is no such program, 124 when it took too
 * long, 130 when it was ended by `signal`.
 */
export function run(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<Finished> {
  const { input, holdInput = false, signal, onLine } = options
  const patience = options.timeoutMs ?? timeoutMs
  if (signal?.aborted === true) return Promise.resolve({ code: interrupted, stdout: '', stderr: '' })
  return new Promise((resolve) => {
    const child = spawn(program, args, { env: options.env ?? env })
    let ended: number | null = null
    const end = (code: number): void => {
      ended ??= code
      child.kill()
    }
    const late = setTimeout(() => end(tookTooLong), patience)
    const stop = (): void => end(interrupted)
    signal?.addEventListener('abort', stop, { once: true })
    const written = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      const told = onLine && lines((line) => onLine(line, name))
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        written[name] = (written[name] + chunk).slice(-maxOutput)
        told?.(chunk)
      })
      child[name].once('end', () => told?.(null))
    }
    child.stdin.on('error', () => undefined)
    if (typeof input === 'object') createReadStream(input.file).pipe(child.stdin)
    else if (!holdInput) child.stdin.end(input ?? '')
    const finish = (code: number, stderr: string): void => {
      clearTimeout(late)
      signal?.removeEventListener('abort', stop)
      resolve({ code, stdout: written.stdout, stderr })
    }
    child.once('error', (error) => finish(127, errorLine(error)))
    child.once('close', (code) => finish(ended ?? code ?? 1, written.stderr))
  })
}

/** Cuts what comes in pieces into lines; null: it ends, with or without a line break. */
function lines(onLine: (line: string) => void): (chunk: string | null) => void {
  let rest = ''
  return (chunk) => {
    const all = (rest + (chunk ?? '')).split('\n')
    rest = all.pop() ?? ''
    // One without an end is cut.
    if (rest !== '' && (chunk === null || rest.length > maxOutput)) {
      all.push(rest)
      rest = ''
    }
    for (const line of all) onLine(line)
  }
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
