import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'

const COMMAND = fileURLToPath(new URL('../../scripts/cinque.js', import.meta.url))
const START_MS = 30_000
const STOP_MS = 30_000

export interface BrokerSettings {
  readonly port: number
  readonly data: string
  /** As `--set` takes them. */
  readonly set?: Readonly<Record<string, string | number | boolean>>
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

/** `cinque broker` in a process of its own, to be killed and started again on the same data. */
export class BrokerProcess {
  /** Log lines of all its lives. */
  readonly log: Record<string, unknown>[] = []
  starts = 0
  readonly settings: BrokerSettings
  #child: ChildProcess | null = null
  #exited: Promise<unknown> = Promise.resolve()

  constructor(settings: BrokerSettings) {
    this.settings = settings
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Starts it and resolves when it accepts connections. */
  async start(): Promise<void> {
    await this.launch()
  }

  /** Starts it; resolves when it is ready, rejects when it ends before. */
  launch(): Promise<void> {
    const { port, data, set } = this.settings
    const args = [
      COMMAND,
      'broker',
      '--listen',
      `tcp://127.0.0.1:${port}`,
      '--data',
      data,
      '--anonymous',
      ...Object.entries({ sys_interval: 0, ...set }).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
    ]
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith('CINQUE_')),
    )
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
    this.#child = child
    this.starts++
    this.#exited = once(child, 'close')
    this.#readLog(child)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not ready in ${START_MS} ms`)), START_MS)
      let said = ''
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        said += text
        if (!said.includes('ready ')) return
        clearTimeout(timer)
        resolve()
      })
      child.once('exit', (code, signal) => {
        clearTimeout(timer)
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
    const timer = setTimeout(() => child?.kill('SIGKILL'), STOP_MS)
    await this.#exited
    clearTimeout(timer)
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
