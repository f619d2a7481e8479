import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { errorLine } from '#scripts/output.ts'
import { pause } from '#scripts/pause.ts'
import type { Launched } from './launch.ts'
import { findPid, residentBytes } from './pids.ts'

/** What a part runs; also the order in which those of a DC are started. */
export const partKinds = ['cassandra', 'nats', 'broker', 'api', 'checker'] as const
export type PartKind = (typeof partKinds)[number]

export interface PartOptions {
  /** `dc01-n1-broker1` */
  readonly name: string
  readonly kind: PartKind
  readonly dc: string
  /** Name of the host in the inventory. */
  readonly host: string
  /** Where it can be reached, for people: `127.77.1.1:1883`. */
  readonly at: string
  readonly log: string
  /** Starts the process. */
  readonly launch: () => Launched | Promise<Launched>
  /** Of the cell: its pid file is in it, and every command line names it. */
  readonly directory: string
  /** Told of crashes and restarts. */
  readonly say: (line: string) => void
}

/**
 * `starting`: on its way, first time or again. `waiting`: it crashed, and will be started again in a moment.
 * `killed` and `stopped` stay so until somebody starts it.
 */
export type PartState = 'starting' | 'running' | 'frozen' | 'waiting' | 'killed' | 'stopped'

export interface PartStatus {
  readonly name: string
  readonly kind: PartKind
  readonly dc: string
  readonly host: string
  readonly state: PartState
  readonly at: string
  readonly pid: number | null
  /** Resident memory in bytes. */
  readonly rss: number | null
  /** Crashes since the launcher started. */
  readonly crashes: number
  /** Why it ended last, if that was not asked for. */
  readonly problem: string | null
  readonly log: string
}

const firstBackoffMs = 500
const maxBackoffMs = 30_000
/** Up for that long: the next crash is a first one again. */
const healthyMs = 60_000
const pollMs = 30

/** An OS process of the cell: started, watched, started again when it crashes. */
export class Part {
  readonly options: PartOptions
  readonly #pidFile: string
  #state: PartState = 'stopped'
  #pid: number | null = null
  #ended: Promise<unknown> = Promise.resolve()
  /** Settles when what is being launched is known to `#ended`. */
  #launching: Promise<unknown> = Promise.resolve()
  /** Never to be started again. */
  #retired = false
  /** Somebody wants it to run. */
  #wanted = false
  /** `start` is waiting for it: a failure is its caller's. */
  #first = false
  #crashes = 0
  #backoffMs = firstBackoffMs
  #problem: string | null = null
  /** Ends the wait for the next start. */
  #waiting = new AbortController()

  constructor(options: PartOptions) {
    this.options = options
    this.#pidFile = join(options.directory, 'run', `${options.name}.pid`)
  }

  get state(): PartState {
    return this.#state
  }

  get pid(): number | null {
    return this.#pid
  }

  /** Starts it and resolves when it is ready. Rejects with an Error of one line, and then it stays down. */
  async start(): Promise<void> {
    if (this.#wanted) return
    if (this.#retired) throw new Error(`${this.options.name}: the cell is being stopped`)
    this.#wanted = true
    this.#first = true
    this.#backoffMs = firstBackoffMs
    try {
      await this.#run()
    } catch (error) {
      await this.kill()
      throw new Error(`${this.options.name}: ${errorLine(error)} (log: ${this.options.log})`, {
        cause: error,
      })
    } finally {
      this.#first = false
    }
    // It was ready, and has crashed before anybody could know.
    if (this.#wanted && this.#pid === null) this.#crashed('ended at once', 0)
  }

  /** SIGKILL. Resolves when it is gone; it stays down. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL', 'killed')
  }

  /** Asks it to end, and kills it if it has not within `ms`. It stays down. */
  async stop(ms = 20_000): Promise<void> {
    if (!this.#wanted) return
    const late = setTimeout(() => this.#signal('SIGKILL'), ms)
    await this.#end('SIGTERM', 'stopped')
    clearTimeout(late)
  }

  /** SIGKILL, for good. */
  async retire(): Promise<void> {
    this.#retired = true
    await this.kill()
  }

  /** SIGKILL as if it had crashed by itself: it is started again. */
  crash(): void {
    this.#signal('SIGKILL')
  }

  /** Stands still (SIGSTOP), as on a machine that does not answer, until `thaw`. */
  freeze(): void {
    if (this.#state !== 'running') return
    this.#signal('SIGSTOP')
    this.#state = 'frozen'
  }

  thaw(): void {
    if (this.#state !== 'frozen') return
    this.#signal('SIGCONT')
    this.#state = 'running'
  }

  /** Ends what an earlier launcher has left running; says whether there was something. */
  async endOrphan(): Promise<boolean> {
    const find = (): number | undefined => findPid(this.#pidFile, this.options.directory)
    const pid = find()
    if (pid === undefined) return false
    process.kill(pid, 'SIGKILL')
    while (find() !== undefined) await pause(pollMs)
    return true
  }

  status(): PartStatus {
    const { name, kind, dc, host, at, log } = this.options
    return {
      name,
      kind,
      dc,
      host,
      state: this.#state,
      at,
      pid: this.#pid,
      rss: this.#pid === null ? null : residentBytes(this.#pid),
      crashes: this.#crashes,
      problem: this.#problem,
      log,
    }
  }

  async #end(signal: NodeJS.Signals, state: PartState): Promise<void> {
    this.#wanted = false
    this.#waiting.abort()
    this.#signal(signal)
    // A frozen process takes no other signal before it goes on.
    if (this.#state === 'frozen') this.#signal('SIGCONT')
    await this.#launching
    await this.#ended
    this.#state = state
    this.#problem = null
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      if (this.#pid !== null) process.kill(this.#pid, signal)
    } catch {
      // Gone already: its end is about to be heard.
    }
  }

  /** One run of the process; resolves when it is ready. */
  async #run(): Promise<void> {
    this.#state = 'starting'
    const startedAt = performance.now()
    const launching = this.#launch(startedAt)
    this.#launching = launching.catch(() => undefined)
    const { ready, pid } = await launching
    await ready
    if (this.#pid === pid && this.#wanted) this.#state = 'running'
  }

  async #launch(startedAt: number): Promise<Launched> {
    const launched = await this.options.launch()
    const { ready, ended, pid } = launched
    ready.catch(() => undefined)
    this.#ended = ended.then((how) => this.#gone(how, performance.now() - startedAt))
    if (pid === 0) return launched
    this.#pid = pid
    mkdirSync(dirname(this.#pidFile), { recursive: true })
    writeFileSync(this.#pidFile, `${pid}\n`)
    // Asked to end while it was being launched.
    if (!this.#wanted) this.#signal('SIGKILL')
    return launched
  }

  #gone(how: string, upMs: number): void {
    this.#pid = null
    rmSync(this.#pidFile, { force: true })
    if (this.#wanted && !this.#first) this.#crashed(how, upMs)
  }

  #crashed(how: string, upMs: number): void {
    this.#crashes++
    this.#problem = how
    if (upMs > healthyMs) this.#backoffMs = firstBackoffMs
    void this.#again(`${this.options.name} ${how}`)
  }

  async #again(what: string): Promise<void> {
    const wait = this.#backoffMs
    this.#backoffMs = Math.min(wait * 2, maxBackoffMs)
    this.#state = 'waiting'
    this.options.say(`${what}; starting it again in ${wait / 1000} s (log: ${this.options.log})`)
    this.#waiting = new AbortController()
    const { signal } = this.#waiting
    await pause(wait, signal)
    if (signal.aborted || !this.#wanted) return
    try {
      await this.#run()
      this.options.say(`${this.options.name} is up again`)
    } catch (error) {
      this.#problem = errorLine(error)
      // If it has ended, its end plans the next start. One that only takes too long is ended for that.
      if (this.#pid !== null) this.#signal('SIGKILL')
      else if (this.#wanted && this.state === 'starting')
        void this.#again(`${this.options.name}: ${this.#problem}`)
    }
  }
}
