import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'

/** Go gives memory back before it; a server of a mesh of ten uses 20 to 60 MB. */
const MEMORY_LIMIT = '256MiB'
const READY_TIMEOUT_MS = 60_000
const READY_POLL_MS = 20
const STOP_TIMEOUT_MS = 10_000
/** How much of the log of a server that did not start is looked at. */
const TAIL_BYTES = 16_384

export interface NatsServerOptions {
  /** Path of nats-server. */
  readonly binary: string
  readonly configFile: string
  /** The server's log is appended to it. */
  readonly logFile: string
  /** A command with arguments that ends by executing what follows it, as `ip netns exec dc1` does. */
  readonly spawnPrefix?: readonly string[]
}

/** A nats-server that this process started; it ends with `stop` or `kill` only. */
export interface NatsServer {
  readonly pid: number
  /** Resolves when the process has ended, by whatever cause. */
  readonly ended: Promise<void>
  /** Ends it (SIGTERM; after 10 s SIGKILL) and waits for that. A paused one too. */
  stop(): Promise<void>
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>
  /** Freezes it: it still accepts connections (the kernel does) but says nothing. */
  pause(): void
  resume(): void
  /** Asks its clients to go elsewhere; 1 s later it refuses new ones, and it ends when all are gone or 30 s later. */
  lameDuck(): void
}

/**
 * Starts a nats-server and resolves when it takes clients; the gateways to other servers come up in the background.
 *
 * @throws Error with the server's own words if it refuses its configuration or ends, or is not ready within 60 s
 */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const [command, ...args] = [...(options.spawnPrefix ?? []), options.binary, '-c', options.configFile]
  const log = openSync(options.logFile, 'a')
  const from = await size(options.logFile)
  const child = spawn(command, args, {
    stdio: ['ignore', log, log],
    env: { GOMEMLIMIT: MEMORY_LIMIT, ...process.env },
  })
  closeSync(log)
  const server = new ChildServer(child)
  const deadline = Date.now() + READY_TIMEOUT_MS
  while (server.running) {
    const text = await tail(options.logFile, from)
    if (text.includes('Server is ready')) return server
    if (Date.now() > deadline) {
      await server.kill()
      throw new Error(`nats-server is not ready after ${READY_TIMEOUT_MS / 1000} s: see ${options.logFile}`)
    }
    await Promise.race([pause(READY_POLL_MS), server.ended])
  }
  throw new Error(server.failure ?? `nats-server ended: ${lastWords(await tail(options.logFile, from))}`)
}

class ChildServer implements NatsServer {
  readonly ended: Promise<void>
  /** Why the process could not be started at all. */
  failure: string | null = null
  running = true
  readonly #child: ChildProcess

  constructor(child: ChildProcess) {
    this.#child = child
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => {
        this.failure = `nats-server could not be started: ${error.message}`
        this.running = false
        resolve()
      })
      child.once('exit', () => {
        this.running = false
        resolve()
      })
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    this.#child.kill('SIGCONT')
    const late = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await this.ended
    clearTimeout(late)
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.ended
  }

  pause(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  lameDuck(): void {
    this.#child.kill('SIGUSR2')
  }
}

async function size(file: string): Promise<number> {
  const handle = await open(file)
  try {
    return (await handle.stat()).size
  } finally {
    await handle.close()
  }
}

/** What was written to the file since `from`, its end if that is long. */
async function tail(file: string, from: number): Promise<string> {
  const handle = await open(file)
  try {
    const { size: end } = await handle.stat()
    const start = Math.max(from, end - TAIL_BYTES)
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(end - start), 0, end - start, start)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await handle.close()
  }
}

/** The line that says why: a fatal one, or else the last. */
function lastWords(text: string): string {
  const lines = text.trim().split('\n')
  const fatal = lines.findLast((line) => /\[FTL\]|^nats-server: /.test(line)) ?? lines.at(-1) ?? ''
  return fatal.replace(/^.*\[FTL\] /, '').replace(/^nats-server: /, '')
}
