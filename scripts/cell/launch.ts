import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, renameSync, statSync } from 'node:fs'
import { errorLine } from '#scripts/output.ts'
import { pause } from '#scripts/pause.ts'
import { endOf, textFrom } from './log-file.ts'

/** A process that was started. */
export interface Launched {
  readonly pid: number
  /** Rejects with an Error of one line if it ends before it is ready, or is not in time. */
  readonly ready: Promise<void>
  /** Resolves when it is gone with how it ended. */
  readonly ended: Promise<string>
}

export interface LaunchOptions {
  readonly file: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Both outputs are appended to it. */
  readonly log: string
  /** What the log says when it is ready. */
  readonly readyLine: RegExp
  /** How long it may take to get there, milliseconds. */
  readonly readyMs: number
  /** Group to run under, or that of this process. */
  readonly gid?: number | undefined
}

/** A log larger than this is put aside at the next start. */
const maxLogBytes = 33_554_432
const pollMs = 30

/** Whether processes can be told to end with the one that started them. */
const diesWithParent = process.platform === 'linux' && existsSync('/usr/bin/setpriv')

/** Goes before a command: it ends when this process does, however that ends; its group is `gid`. */
export function prefix(gid: number | undefined): string[] {
  const group = gid === undefined ? [] : ['setpriv', '--regid', String(gid), '--clear-groups']
  return [...group, ...(diesWithParent ? ['setpriv', '--pdeathsig', 'KILL'] : [])]
}

/** Starts a command. Its working directory is this one's. */
export function launch(options: LaunchOptions): Launched {
  const { log, file, args, env, gid } = options
  if (existsSync(log) && statSync(log).size > maxLogBytes) renameSync(log, `${log}.1`)
  const from = endOf(log)
  const fd = openSync(log, 'a', 0o600)
  const [program, ...rest] = [...prefix(gid), file, ...args]
  // Of its own process group: Ctrl-C is for the launcher, which stops all in order.
  const child = spawn(program, rest, {
    stdio: ['ignore', fd, fd],
    env: { ...inherited(), ...env },
    detached: true,
  })
  closeSync(fd)
  child.unref()
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`cannot be started: ${errorLine(error)}`))
    child.once('exit', (code, signal) => {
      if (signal !== null) return resolve(`ended by ${signal}`)
      const said = lastWords(textFrom(log, from))
      resolve(`ended with code ${code}${said === '' ? '' : `: ${said}`}`)
    })
  })
  return { pid: child.pid ?? 0, ended, ready: untilReady(options, from, ended) }
}

/** What configures a process of a cell is in its files, not in the environment of whoever starts the cell. */
function inherited(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CINQUE_')))
}

async function untilReady(options: LaunchOptions, from: number, ended: Promise<string>): Promise<void> {
  const { log, readyLine, readyMs } = options
  const end: { how: string | null } = { how: null }
  void ended.then((how) => (end.how = how))
  const deadline = performance.now() + readyMs
  while (!readyLine.test(textFrom(log, from))) {
    if (end.how !== null) throw new Error(end.how)
    if (performance.now() > deadline) throw new Error(`not ready after ${readyMs / 1000} s`)
    await pause(pollMs)
  }
}

/** The line of a log that most likely says why: our own last, that of a failure, or just the last. */
function lastWords(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const told =
    lines.findLast((line) => line.startsWith('cinque: ')) ??
    lines.findLast((line) => /\b\w*(Exception|Error)\b|\[FTL\]|^nats-server: /.test(line)) ??
    lines.at(-1)
  return (told ?? '').slice(0, 300)
}
