import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Host } from '#platform/inventory/inventory.ts'
import { type CommandOptions, type Finished, run, tookTooLong } from '#scripts/child-process.ts'
import { CliError } from '#scripts/output.ts'
import { failureOf } from './failure.ts'
import { remoteCommand } from './shell.ts'

export interface RemoteFinished extends Finished {
  /** Why the command was not run, or not to its end, in one line; null: it ended by itself, with `code`. */
  readonly failure: string | null
}

export type RemoteOptions = Pick<CommandOptions, 'timeoutMs' | 'onLine' | 'signal'> & {
  /** Text for its standard input, or a file that is read. A command without any is ended when its caller is. */
  readonly input?: string | { readonly file: string }
  /** By a connection of its own: the host proves itself again. */
  readonly fresh?: boolean
}

/** Runs commands on hosts, as root. */
export interface Remote {
  /** Runs a shell command; never rejects. */
  run(host: Pick<Host, 'name'>, command: string, options?: RemoteOptions): Promise<RemoteFinished>
  /** The program and its arguments for a session of a person. */
  session(host: Pick<Host, 'name'>): readonly string[]
  /** Ends connections that are kept open for the next command: those to a host that is to be wiped. */
  close(hosts: readonly Pick<Host, 'name'>[]): Promise<void>
}

interface SshOptions {
  /** Of ssh: says for each host by its name where it is, who comes, by which key, and who vouches for its key. */
  readonly config: string
  /** Who vouches for keys instead of those whom the configuration names. */
  readonly knownHosts?: string
  /** Starts ssh elsewhere: `nsenter`, and its arguments. */
  readonly through?: readonly string[]
}

const connectSeconds = 10
/** How long a connection is kept for the next command. */
const persistSeconds = 60
/** Two answers that do not come, and a connection is given up. */
const aliveSeconds = 5
const defaultMs = 600_000
/** Nobody is there who could be asked. */
const silent = ['-o', 'BatchMode=yes', '-T']

/**
 * By OpenSSH, with one connection for all commands to a host. A host whose key nobody vouches for is refused, and
 * nothing asks for a password.
 */
export function sshRemote({ config, knownHosts, through = [] }: SshOptions): Remote {
  const opening = new Map<string, Promise<Finished>>()
  const [program, ...before] = [...through, 'ssh']
  const controlOf = (name: string): string => {
    const key = createHash('sha256')
      .update(`${resolve(config)}\n${name}`)
      .digest('hex')
    // A socket's path has 107 characters at most, and ssh adds 17 while it makes it.
    return join(controlDirectory(), key.slice(0, 24))
  }
  const argsFor = (name: string, more: readonly string[], kept = true): string[] => {
    const options = [
      'StrictHostKeyChecking=yes',
      'UpdateHostKeys=no',
      'LogLevel=ERROR',
      ...(knownHosts === undefined ? [] : [`UserKnownHostsFile="${knownHosts}"`]),
      `ConnectTimeout=${connectSeconds}`,
      `ServerAliveInterval=${aliveSeconds}`,
      'ServerAliveCountMax=2',
      ...(kept
        ? ['ControlMaster=auto', `ControlPersist=${persistSeconds}`, `ControlPath=${controlOf(name)}`]
        : ['ControlMaster=no', 'ControlPath=none']),
    ]
    return [...before, '-F', config, ...options.flatMap((option) => ['-o', option]), ...more, name]
  }
  /** One at a time opens the connection: of two, one would complain about the other's. */
  const connected = async (name: string): Promise<Finished | null> => {
    if (existsSync(controlOf(name))) return null
    let first = opening.get(name)
    if (first === undefined) {
      first = run(program, [...argsFor(name, silent), 'true'], {
        timeoutMs: 3 * connectSeconds * 1000,
      }).finally(() => opening.delete(name))
      opening.set(name, first)
    }
    const opened = await first
    return opened.code === 0 ? null : opened
  }
  return {
    async run({ name }, command, options = {}) {
      const { input, timeoutMs = defaultMs, onLine, signal, fresh = false } = options
      const refused = fresh ? null : await connected(name)
      if (refused !== null) return { ...refused, code: 255, failure: failureOf(name, refused.stderr) }
      const seconds = Math.ceil(timeoutMs / 1000)
      const finished = await run(
        program,
        [...argsFor(name, silent, !fresh), remoteCommand(command, seconds, input !== undefined)],
        {
          ...(input === undefined ? { holdInput: true } : { input }),
          // The host itself ends it in time; this is for one that has gone silent.
          timeoutMs: timeoutMs + (connectSeconds + 15) * 1000,
          onLine,
          signal,
        },
      )
      const { code, stderr } = finished
      if (signal?.aborted === true) return { ...finished, failure: `${name}: interrupted` }
      if (code === tookTooLong) return { ...finished, failure: `${name}: not done after ${seconds} s` }
      return { ...finished, failure: code === 255 || code === 127 ? lostOf(name, code, stderr) : null }
    },
    session: ({ name }) => [program, ...argsFor(name, ['-t'])],
    async close(hosts) {
      await Promise.all(
        hosts
          .filter(({ name }) => existsSync(controlOf(name)))
          .map(({ name }) => run(program, argsFor(name, ['-O', 'exit']))),
      )
    },
  }
}

/** Of a command that a host does not have, the host says so itself. */
function lostOf(name: string, code: number, stderr: string): string | null {
  if (code === 127 && !stderr.startsWith('spawn ')) return null
  return failureOf(name, stderr)
}

/** For nobody else: whoever may write there could be given our commands. */
function controlDirectory(): string {
  const user = process.getuid?.() ?? 0
  const directory = join('/tmp', `cinque-ssh-${user}`)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const { uid, mode } = lstatSync(directory)
  if (uid === user && (mode & 0o77) === 0 && lstatSync(directory).isDirectory()) return directory
  throw new CliError(`${directory} is not yours alone`, { remedy: 'Remove it; it is made anew.' })
}
