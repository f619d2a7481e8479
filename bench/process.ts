import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { onEarlyExit } from './clean-up.ts'

/** Puts a command on its core: the command and arguments to start instead. */
export type Pin = (command: string, args: readonly string[]) => [string, string[]]

export const unpinned: Pin = (command, args) => [command, [...args]]
export const pinnedTo =
  (core: number): Pin =>
  (command, args) => ['taskset', ['-c', String(core), command, ...args]]

/** Runs a command to its end; `code` is null when it could not be started. */
export async function run(
  command: string,
  args: readonly string[],
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (s: string) => (stdout += s))
    child.stderr.setEncoding('utf8').on('data', (s: string) => (stderr += s))
    child.on('error', () => resolve({ code: null, stdout, stderr }))
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const { port } = address
  server.close()
  await once(server, 'close')
  return port
}

async function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' })
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

/** A server process of one measurement. */
export interface Server {
  readonly child: ChildProcess
  readonly pid: number
  /** Everything it has printed, at most the last 64 KB. */
  output(): string
  /** SIGTERM, after ten seconds SIGKILL; resolves when it has ended. */
  stop(): Promise<void>
}

const START_LIMIT_MS = 20_000
const STOP_LIMIT_MS = 10_000
const KEPT_OUTPUT = 65_536

/** Starts a server and waits until the port accepts. Rejects with what it printed when it ends before that. */
export async function startServer(
  command: string,
  args: readonly string[],
  options: { port: number; pin: Pin; cwd?: string; env?: NodeJS.ProcessEnv },
): Promise<Server> {
  const [file, pinnedArgs] = options.pin(command, args)
  const child = spawn(file, pinnedArgs, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
  })
  const early = onEarlyExit(() => void child.kill('SIGKILL'))
  let text = ''
  const keep = (s: string) => {
    text = (text + s).slice(-KEPT_OUTPUT)
  }
  child.stdout.setEncoding('utf8').on('data', keep)
  child.stderr.setEncoding('utf8').on('data', keep)
  let ended: string | null = null
  const end = new Promise<void>((resolve) => {
    child.on('error', (error) => {
      ended = error.message
      resolve()
    })
    child.on('close', (code, signal) => {
      ended = `ended with ${code ?? signal}`
      resolve()
    })
  })
  const server: Server = {
    child,
    pid: child.pid ?? 0,
    output: () => text,
    async stop() {
      if (ended === null) child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS)
      await end
      clearTimeout(timer)
      early.cancel()
    },
  }
  const deadline = Date.now() + START_LIMIT_MS
  while (!(await accepts(options.port))) {
    if (ended !== null)
      throw new Error(`${path.basename(command)} ${String(ended)}: ${text.trim().slice(-500)}`)
    if (Date.now() > deadline) {
      await server.stop()
      throw new Error(`${path.basename(command)} does not listen: ${text.trim().slice(-500)}`)
    }
    await delay(20)
  }
  return server
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
