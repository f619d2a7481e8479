import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { EngineError } from './engine-error.ts'
import type { Engine } from './engine.ts'
import { nodeFlags } from './java-flags.ts'
import { LogTail } from './log-tail.ts'
import { cassandraYaml, logbackXml, type NodeConfig, type NodeTls, rackProperties } from './node-config.ts'

/** Port of CQL and port between nodes: the same on every address. */
export const cqlPort = 9042
export const storagePort = 7000

export interface NodeOptions {
  readonly engine: Engine
  /** Configuration, data, log and pid of this node; made if it is not there. Data in it are kept. */
  readonly directory: string
  /** Loopback address of the node's own, 127.x.y.z. */
  readonly ip: string
  readonly dc: string
  /** Default `r1`; a rack per node of a DC makes each have a replica. */
  readonly rack?: string
  /** Default: itself, as the first node of a cluster has to be started. */
  readonly seeds?: readonly string[]
  /** Where its range of the ring begins; unique in the cluster, and for ever the same. Default: the ring's start. */
  readonly token?: string
  /** Java heap; resident memory is about 80 MB less to 200 MB more. Default 384. */
  readonly heapMb?: number
  readonly clusterName?: string
  /** On 127.0.0.1, for nodetool; unique on the machine. Default: no JMX. */
  readonly jmxPort?: number
  readonly passwords?: boolean
  readonly tls?: NodeTls
  /** Both compilers of Java, for load: 3 s of CPU more to start. */
  readonly full?: boolean
  /** Runs under this user (we must be root), so that firewall rules can tell nodes apart. */
  readonly uid?: number
  /** Programs in front of Java, which must exec it (`taskset -c 1`): the pid is then its own. */
  readonly spawnPrefix?: readonly string[]
  /** Entries of cassandra.yaml beyond ours. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Write the archive of loaded classes there when the node is stopped. */
  readonly writeArchive?: string
}

const readyLine = 'Starting listening for CQL clients'
const failedLine = 'Exception encountered during startup'
/** Startup of eleven nodes on two busy cores takes a minute. */
const readyTimeoutMs = 180_000
const stopTimeoutMs = 30_000

/** One real Cassandra process. Ends with `stop` or `kill` only: it outlives its parent otherwise. */
export class CassandraNode {
  readonly options: NodeOptions
  readonly pid: number
  readonly logFile: string
  /** Resolves when CQL is served; rejects with EngineError, which has the reason out of the log. */
  readonly cqlReady: Promise<void>
  /** Resolves when the process is gone. */
  readonly exited: Promise<void>
  #gone = false
  readonly #child: ChildProcess
  readonly #tail: LogTail

  constructor(options: NodeOptions, child: ChildProcess, tail: LogTail) {
    this.options = options
    this.pid = child.pid ?? 0
    this.logFile = tail.file
    this.#child = child
    this.#tail = tail
    this.exited = once(child, 'exit').then(() => {
      this.#gone = true
      rmSync(join(options.directory, 'pid'), { force: true })
    })
    this.cqlReady = this.#ready()
    // Who only starts nodes and awaits them later must not die of one that fails meanwhile.
    this.cqlReady.catch(() => undefined)
  }

  get ip(): string {
    return this.options.ip
  }

  get running(): boolean {
    return !this.#gone
  }

  /** SIGTERM: drains and ends, about 3 s. SIGKILL if it does not within 30 s. */
  async stop(): Promise<void> {
    if (this.#gone) return
    this.#signal('SIGCONT')
    this.#signal('SIGTERM')
    const timer = setTimeout(() => this.#signal('SIGKILL'), stopTimeoutMs)
    await this.#end()
    clearTimeout(timer)
  }

  /** kill -9; resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.#gone) return
    this.#signal('SIGKILL')
    await this.#end()
  }

  /** SIGSTOP: alive for the network, but silent. */
  pause(): void {
    this.#signal('SIGSTOP')
  }

  resume(): void {
    this.#signal('SIGCONT')
  }

  /** A running node keeps nobody from ending; one that is waited for does. */
  #end(): Promise<void> {
    this.#child.ref()
    return this.exited
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(this.pid, signal)
    } catch {
      // Gone already: its exit is about to be heard.
    }
  }

  async #ready(): Promise<void> {
    const deadline = Date.now() + readyTimeoutMs
    for (;;) {
      const gone = this.#gone
      const text = this.#tail.read()
      // The line comes a moment before the port; a process killed with -9 may accept a moment longer than it lives.
      if (text.includes(readyLine) && (await accepts(this.ip, cqlPort))) return
      if (gone) throw new EngineError(`${this.#name()} did not start: ${reason(text)} (log: ${this.logFile})`)
      if (Date.now() > deadline) {
        throw new EngineError(
          `${this.#name()} is not ready after ${readyTimeoutMs / 1000} s (log: ${this.logFile})`,
        )
      }
      // oxlint-disable-next-line no-await-in-loop -- polling a file
      await Promise.race([new Promise((wake) => setTimeout(wake, 50)), this.exited])
    }
  }

  #name(): string {
    return `Cassandra node ${this.options.ip} (${this.options.dc})`
  }
}

/** Why a node ended before it was ready, out of its log. */
function reason(text: string): string {
  const lines = text.split('\n')
  const at = lines.findIndex((line) => line.includes(failedLine))
  if (at !== -1) return (lines[at + 1] ?? lines[at]).trim()
  const error = lines.findLast((line) => line.startsWith('ERROR') || line.startsWith('Error'))
  return (error ?? lines.findLast((line) => line.trim() !== '') ?? 'it wrote nothing').trim()
}

/**
 * Starts a node; resolves when the process runs, `cqlReady` says when it serves. A node that runs again on the data
 * of a directory must have the same address and token.
 *
 * @throws EngineError when the address is taken, or a node already runs in the directory
 */
export async function startNode(options: NodeOptions): Promise<CassandraNode> {
  const { engine, directory, ip } = options
  refuseRunning(directory)
  await refuseTaken(ip, cqlPort)
  await refuseTaken(ip, storagePort)
  mkdirSync(join(directory, 'log'), { recursive: true })
  const config: NodeConfig = {
    clusterName: options.clusterName ?? 'cinque',
    ip,
    dc: options.dc,
    rack: options.rack ?? 'r1',
    seeds: options.seeds ?? [ip],
    token: options.token ?? String(-(2n ** 63n)),
    ...(options.passwords === undefined ? {} : { passwords: options.passwords }),
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    ...(options.config === undefined ? {} : { extra: options.config }),
  }
  writeFileSync(join(directory, 'cassandra.yaml'), cassandraYaml(config))
  writeFileSync(join(directory, 'rackdc.properties'), rackProperties(config))
  writeFileSync(join(directory, 'logback.xml'), logbackXml)
  const flags = nodeFlags(engine, directory, {
    heapMb: options.heapMb ?? 384,
    jmxPort: options.jmxPort,
    full: options.full ?? false,
    writeArchive: options.writeArchive,
  })
  const [program, ...args] = [
    ...privileges(options.uid),
    ...(options.spawnPrefix ?? []),
    engine.java,
    ...flags,
  ]
  const logFile = join(directory, 'log.txt')
  const tail = new LogTail(logFile)
  const log = openSync(logFile, 'a')
  const child = spawn(program, args, {
    stdio: ['ignore', log, log],
    cwd: directory,
    // A group of its own: Ctrl-C at a terminal is for us, who then stop the nodes in order.
    detached: true,
    env: { ...process.env, MALLOC_ARENA_MAX: '2' },
  })
  closeSync(log)
  await new Promise<void>((spawned, failed) => {
    child.once('spawn', spawned)
    child.once('error', (error) => failed(new EngineError(`${program} cannot be run: ${error.message}`)))
  })
  child.unref()
  writeFileSync(join(directory, 'pid'), String(child.pid))
  return new CassandraNode(options, child, tail)
}

/**
 * As root Cassandra would pin its whole heap in memory (mlockall): it is started without that right. Another user
 * keeps the right to read and write everything, because engine and data belong to us.
 */
function privileges(uid: number | undefined): string[] {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/setpriv')) return []
  const nolock = ['setpriv', '--bounding-set', '-ipc_lock', '--inh-caps', '-ipc_lock']
  if (uid !== undefined) {
    nolock.splice(1, 4, '--reuid', String(uid), '--regid', String(uid), '--clear-groups')
    nolock.push(
      '--bounding-set',
      '-ipc_lock',
      '--inh-caps',
      '+dac_override',
      '--ambient-caps',
      '+dac_override',
    )
  }
  return [...nolock, 'prlimit', '--memlock=65536:65536']
}

function refuseRunning(directory: string): void {
  const file = join(directory, 'pid')
  if (!existsSync(file)) return
  const pid = readFileSync(file, 'utf8').trim()
  let command = ''
  try {
    command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    // No such process, or no /proc: the port tells then.
  }
  if (command.includes(directory)) {
    throw new EngineError(
      `a Cassandra node already runs in ${directory} (process ${pid}): stop it first (kill ${pid})`,
    )
  }
}

async function refuseTaken(ip: string, port: number): Promise<void> {
  if (!(await accepts(ip, port))) return
  throw new EngineError(
    `${ip}:${port} is taken by another process (ss -ltnp 'sport = :${port}' shows it): stop it, or give the node another address`,
  )
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = createConnection({ host, port, timeout: 1000 })
    const end = (answer: boolean): void => {
      socket.destroy()
      done(answer)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
  })
}
