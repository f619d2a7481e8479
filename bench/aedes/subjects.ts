import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, startServer, unpinned } from '../process.ts'

/** Subscriptions to this topic are denied by the brokers' access lists. */
export const DENIED = 'secret'

/** A broker process that runs. */
export interface Live {
  readonly port: number
  /** Null while it runs; else the error it died of, or how it ended. */
  ended(): string | null
  stop(): Promise<void>
}

export interface Subject {
  readonly name: string
  /** Whether its store can be made to hang from outside. */
  readonly canStallStore: boolean
  /** `directory` is the broker's own, for as long as it runs. */
  start(options: { directory: string; stallStore: boolean }): Promise<Live>
}

async function live(port: number, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Live> {
  const server = await startServer(process.execPath, args, { port, pin: unpinned, env })
  return {
    port,
    ended() {
      const { exitCode, signalCode } = server.child
      if (exitCode === null && signalCode === null) return null
      return /^\w*Error: .*/m.exec(server.output())?.[0] ?? `ended with ${exitCode ?? signalCode ?? '?'}`
    },
    stop: () => server.stop(),
  }
}

export const aedes: Subject = {
  name: 'aedes',
  canStallStore: true,
  async start({ stallStore }) {
    const port = await freePort()
    const script = fileURLToPath(new URL('../peers/aedes-server.ts', import.meta.url))
    const env = { AEDES_DENY: DENIED, ...(stallStore ? { AEDES_STALL_STORE: '1' } : {}) }
    return live(port, [script, String(port)], env)
  },
}

const configuration = {
  auth: {
    anonymous: true,
    acl: [
      { effect: 'deny', access: 'subscribe', filter: DENIED },
      { effect: 'allow', access: 'all', filter: '#' },
    ],
  },
}

export const cinque: Subject = {
  name: 'cinque',
  canStallStore: false,
  async start({ directory }) {
    const port = await freePort()
    const file = path.join(directory, 'cinque.json')
    await writeFile(file, JSON.stringify(configuration))
    const entry = fileURLToPath(new URL('../../scripts/cinque.js', import.meta.url))
    const args = ['broker', '--listen', `tcp://127.0.0.1:${port}`, '--memory', '--config', file]
    return live(port, [entry, ...args], {})
  },
}
