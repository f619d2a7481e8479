import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { alarm } from '../../patience.ts'

/** Where a broker under test listens, by scheme (tcp, ws, tls, wss). */
export type Addresses = ReadonlyMap<string, URL>

export interface BrokerOptions {
  /** configuration keys as `cinque broker --set` takes them: `mqtt.maximum_qos` -> `1` */
  readonly set?: Readonly<Record<string, string | number | boolean>>
  /** listeners; default one TCP port */
  readonly listen?: readonly string[]
}

export interface RunningBroker {
  readonly addresses: Addresses
  stop(): Promise<void>
}

const START_DEADLINE_MS = 30_000
const STOP_DEADLINE_MS = 15_000
const ADDRESS = /\b(tcp|tls|ws|wss):\/\/[^\s",\]]+/g
const COMMAND = fileURLToPath(new URL('../../../scripts/cinque.js', import.meta.url))

/** The broker named by CINQUE_CONFORMANCE_URL (comma-separated addresses), if any. */
export const foreignAddresses = (): Addresses | undefined => {
  const urls = process.env['CINQUE_CONFORMANCE_URL']
  return urls === undefined || urls === ''
    ? undefined
    : byScheme(urls.split(',').map((url) => url.replace(/^mqtt:/, 'tcp:')))
}

const byScheme = (urls: readonly string[]): Addresses =>
  new Map(
    urls.map((text) => {
      const url = new URL(text)
      return [url.protocol.slice(0, -1), url]
    }),
  )

/** Starts `cinque broker` as a child process and resolves when it says that it listens. */
export const startBroker = async (options: BrokerOptions): Promise<RunningBroker> => {
  const listen = options.listen ?? ['tcp://127.0.0.1:0']
  const args = [
    COMMAND,
    'broker',
    ...listen.flatMap((address) => ['--listen', address]),
    '--anonymous',
    '--memory',
    ...Object.entries(options.set ?? {}).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
  ]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env: environment() })
  return { addresses: byScheme(await ready(child, listen.length)), stop: () => stop(child) }
}

/** Ours without what would configure the broker. */
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CINQUE_')))

const ready = (child: ChildProcess, listeners: number): Promise<string[]> =>
  new Promise((resolve, reject) => {
    let output = ''
    const fail = (why: string) => {
      child.kill('SIGKILL')
      reject(new Error(`cinque broker ${why}; it said:\n${output}`))
    }
    const off = alarm(START_DEADLINE_MS, () => fail(`was not ready in ${START_DEADLINE_MS} ms`))
    child.once('error', (error) => fail(`could not be started (${error.message})`))
    const ended = (code: number | null, signal: string | null) => {
      off()
      fail(`ended before it was ready (${code ?? signal})`)
    }
    child.once('exit', ended)
    const read = (chunk: string) => {
      output += chunk
      const addresses = output
        .split('\n')
        .slice(0, -1)
        .filter((line) => /\bready\b/.test(line))
        .flatMap((line) => line.match(ADDRESS) ?? [])
      if (addresses.length < listeners) return
      off()
      child.off('exit', ended)
      // Still read, and thrown away: a full pipe would stop the broker.
      child.stdout?.off('data', read).resume()
      child.stderr?.off('data', read).resume()
      resolve(addresses)
    }
    child.stdout?.setEncoding('utf8').on('data', read)
    child.stderr?.setEncoding('utf8').on('data', read)
  })

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const off = alarm(STOP_DEADLINE_MS, () => child.kill('SIGKILL'))
  await exited
  off()
}
