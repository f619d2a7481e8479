import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { alarm } from '../patience.ts'

const COMMAND = fileURLToPath(new URL('../../scripts/cinque.js', import.meta.url))
const START_MS = 30_000
const STOP_MS = 30_000

export interface BrokerSettings {
  readonly port: number
  readonly data: string
  /** As `--set` takes them. */
  readonly set?: Readonly<Record<string, string | number | boolean>>
}

/** Arguments of `cinque` that start the broker alone. */
export function brokerArguments({ port, data, set }: BrokerSettings): string[] {
  const sets = Object.entries({ sys_interval: 0, ...set })
  return [
    'broker',
    '--listen',
    `tcp://127.0.0.1:${port}`,
    '--data',
    data,
    '--anonymous',
    ...sets.flatMap(([key, value]) => ['--set', `${key}=${value}`]),
  ]
}

/** A port that was free a moment ago: the broker gets the same one at each start. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** `cinque` in a process of its own, to be killed and started again on the same data. */
export class BrokerProcess {
  /** Log lines of all its lives. */
  readonly log: Record<string, unknown>[] = []
  starts = 0
  /** What it has printed in this life. */
  said = ''
  readonly #args: readonly string[]
  #child: ChildProcess | null = null
  #exited: Promise<unknown> = Promise.resolve()

  constructor(args: readonly string[]) {
    this.#args = args
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Starts it; resolves when it has printed its first line, that it is ready; rejects when it ends before. */
  start(): Promise<void> {
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith('CINQUE_')),
    )
    const child = spawn(process.execPath, [COMMAND, ...this.#args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
    })
    this.#child = child
    this.starts++
    this.#exited = once(child, 'close')
    this.#readLog(child)
    return new Promise((resolve, reject) => {
      const off = alarm(START_MS, () => reject(new Error(`not ready in ${START_MS} ms`)))
      this.said = ''
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        this.said += text
        if (!this.said.includes('\n')) return
        off()
        resolve()
      })
      child.once('exit', (code, signal) => {
        off()
        reject(new Error(`the broker ended (${code ?? signal}) before it was ready`))
      })
    })
  }

  /** kill -9; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.#exited
  }

  /** SIGTERM; resolves with its exit code. */
  async terminate(): Promise<number | null> {
    const child = this.#child
    child?.kill('SIGTERM')
    const off = alarm(STOP_MS, () => child?.kill('SIGKILL'))
    await this.#exited
    off()
    return child?.exitCode ?? null
  }

  /** Log lines of one event. */
  events(name: string): Record<string, unknown>[] {
    return this.log.filter((line) => line['event'] === name)
  }

  #readLog(child: ChildProcess): void {
    let rest = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) this.log.push(parse(line))
    })
  }
}

function parse(line: string): Record<string, unknown> {
  try {
    const parsed: Record<string, unknown> = JSON.parse(line)
    return parsed
  } catch {
    return { event: 'not json', line }
  }
}
