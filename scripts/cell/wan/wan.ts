import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { errorLine } from '#scripts/output.ts'
import { chainOf, checkerGroupOf, groupOf, type Net, type Pair, pairsOf, queueOf, rulesOf } from './rules.ts'

export interface WanOptions extends Net {
  /** One-way delay between two DCs, milliseconds. Absent: packets are not delayed, only cut. */
  readonly delay?: ((a: number, b: number) => number) | undefined
  /** Where the helper is compiled to. */
  readonly directory: string
  /** Says what is being installed or compiled. */
  readonly say: (line: string) => void
}

const iptables = 'iptables'
/** Packet filters are where not every shell looks for programs. */
const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` }

/**
 * The network between the DCs of a cell on one machine: delays packets between them, or lets none through. Made of
 * packet filter rules for the groups that the DCs' processes run under, and of a helper that holds packets back.
 */
export class Wan {
  readonly #options: WanOptions
  readonly #helper: ChildProcess | null
  readonly #cut = new Set<string>()
  /** Numbers of DCs. */
  readonly #cutCheckers = new Set<number>()
  /** Milliseconds by which packets from and to a DC are late. */
  readonly #late = new Map<number, number>()
  /** The rules would outlive a process that ends without closing. */
  readonly #atExit = (): void => removeRulesNow(this.#options.net)

  private constructor(options: WanOptions, helper: ChildProcess | null) {
    this.#options = options
    this.#helper = helper
    process.on('exit', this.#atExit)
  }

  /** Rejects with an Error of one line if this machine has no packet filter for us. */
  static async open(options: WanOptions): Promise<Wan> {
    if (process.platform !== 'linux') throw new Error('only Linux has the packet filter for it')
    if (process.getuid?.() !== 0) throw new Error('it needs root')
    if (!(await runs(iptables, ['--version']))) await install(['iptables'], options.say)
    await removeRules(options.net)
    const helper = options.delay === undefined ? null : await startHelper(options, options.delay)
    const wan = new Wan(options, helper)
    try {
      await wan.#apply()
      for (const hook of hooksOf(options.net)) await run(iptables, ['-w', '-t', 'mangle', '-I', ...hook])
    } catch (error) {
      await wan.close()
      throw error
    }
    return wan
  }

  /** Packets between DCs wait. */
  get delays(): boolean {
    return this.#helper !== null
  }

  /** Group that the processes of a DC must run under. */
  groupOf(dc: number): number {
    return groupOf(this.#options.net, dc)
  }

  checkerGroupOf(dc: number): number {
    return checkerGroupOf(this.#options.net, dc)
  }

  isCut(a: number, b: number): boolean {
    return this.#cut.has(pairOf(a, b).join(' '))
  }

  /** Lets no packet through between two DCs, without telling them. */
  async cut(pairs: readonly Pair[]): Promise<void> {
    for (const [a, b] of pairs) this.#cut.add(pairOf(a, b).join(' '))
    await this.#apply()
  }

  async heal(pairs: readonly Pair[]): Promise<void> {
    for (const [a, b] of pairs) this.#cut.delete(pairOf(a, b).join(' '))
    await this.#apply()
  }

  isCheckerCut(dc: number): boolean {
    return this.#cutCheckers.has(dc)
  }

  /** Lets no packet through from and to the checker of a DC, or again all. */
  async cutChecker(dc: number, cut: boolean): Promise<void> {
    if (cut) this.#cutCheckers.add(dc)
    else this.#cutCheckers.delete(dc)
    await this.#apply()
  }

  /** Milliseconds by which packets between a DC and all others take longer, each way. */
  lateness(dc: number): number {
    return this.#late.get(dc) ?? 0
  }

  /** Rejects with an Error of one line where packets can't be delayed. */
  async slow(dc: number, ms: number): Promise<void> {
    const { dcs, delay } = this.#options
    const stdin = this.#helper?.stdin
    if (delay === undefined || !stdin) throw new Error('packets between DCs are not delayed here')
    this.#late.set(dc, ms)
    const lines = pairsOf(dcs)
      .filter((pair) => pair.includes(dc))
      .map(([a, b]) => {
        const held = Math.max(0, delay(a, b)) + this.lateness(a) + this.lateness(b)
        return `${queueOf(this.#options, [a, b])}:${held}\n`
      })
    await new Promise<void>((written, failed) =>
      stdin.write(lines.join(''), (error) => (error ? failed(error) : written())),
    )
  }

  /** Takes rules and helper away. */
  async close(): Promise<void> {
    process.off('exit', this.#atExit)
    await removeRules(this.#options.net)
    this.#helper?.kill('SIGKILL')
  }

  async #apply(): Promise<void> {
    const pairs = pairsOf(this.#options.dcs).filter((pair) => this.#cut.has(pair.join(' ')))
    const cuts = { pairs, checkers: [...this.#cutCheckers] }
    await run(`${iptables}-restore`, ['-w', '--noflush'], rulesOf(this.#options, cuts, this.delays))
  }
}

function pairOf(a: number, b: number): Pair {
  return a < b ? [a, b] : [b, a]
}

/** Also what a launcher that was killed has left. */
async function removeRules(net: number): Promise<void> {
  for (const args of unhooking(net)) while (await runs(iptables, args));
  for (const args of emptying(net)) await runs(iptables, args)
}

function removeRulesNow(net: number): void {
  for (const args of [...unhooking(net), ...emptying(net)]) spawnSync(iptables, args, { env })
}

/** Where the chains are entered. */
function hooksOf(net: number): string[][] {
  return [
    ['OUTPUT', '-o', 'lo', '-j', `${chainOf(net)}-M`],
    ['INPUT', '-i', 'lo', '-j', chainOf(net)],
  ]
}

function unhooking(net: number): string[][] {
  return hooksOf(net).map((hook) => ['-w', '-t', 'mangle', '-D', ...hook])
}

function emptying(net: number): string[][] {
  const chains = [chainOf(net), `${chainOf(net)}-M`]
  return ['-F', '-X'].flatMap((verb) => chains.map((chain) => ['-w', '-t', 'mangle', verb, chain]))
}

async function startHelper(
  options: WanOptions,
  delay: (a: number, b: number) => number,
): Promise<ChildProcess> {
  const program = await compileDelayQueue(options)
  const queues = pairsOf(options.dcs).map(
    (pair) => `${queueOf(options, pair)}:${Math.max(0, delay(...pair))}`,
  )
  const helper = spawn(program, queues, { stdio: ['pipe', 'pipe', 'pipe'] })
  const said: string[] = []
  createInterface({ input: helper.stderr }).on('line', (line) => said.push(line))
  const ready = once(createInterface({ input: helper.stdout }), 'line')
  const ended = once(helper, 'exit').then(() => {
    throw new Error(`the delay helper ended: ${said.join('; ')}`)
  })
  await Promise.race([ready, ended])
  ended.catch(() => undefined)
  helper.unref()
  return helper
}

/** Compiles the helper, anew if its source is newer. */
export async function compileDelayQueue({
  directory,
  say,
}: Pick<WanOptions, 'directory' | 'say'>): Promise<string> {
  const source = fileURLToPath(new URL('delayq.c', import.meta.url))
  const program = join(directory, 'delayq')
  if (existsSync(program) && statSync(program).mtimeMs > statSync(source).mtimeMs) return program
  const missing = [
    ...((await runs('cc', ['--version'])) ? [] : ['gcc', 'libc6-dev']),
    ...(existsSync('/usr/include/libnetfilter_queue/libnetfilter_queue.h') ? [] : ['libnetfilter-queue-dev']),
  ]
  if (missing.length > 0) await install(missing, say)
  mkdirSync(directory, { recursive: true })
  await run('cc', ['-O2', '-o', `${program}.new`, source, '-lnetfilter_queue'])
  renameSync(`${program}.new`, program)
  return program
}

async function install(packages: readonly string[], say: (line: string) => void): Promise<void> {
  if (!(await runs('apt-get', ['--version']))) throw new Error(`${packages.join(' and ')} must be installed`)
  say(`installing ${packages.join(', ')} (apt, once)`)
  const apt = (...args: string[]): Promise<void> =>
    run('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=600', ...args])
  await apt('update')
  await apt('install', '-y', '--no-install-recommends', ...packages)
}

async function runs(command: string, args: readonly string[]): Promise<boolean> {
  return run(command, args).then(
    () => true,
    () => false,
  )
}

/** Rejects with an Error that says what the command said. */
function run(command: string, args: readonly string[], input = ''): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = execFile(command, [...args], { timeout: 600_000, env }, (error, _stdout, stderr) => {
      if (error === null) resolve()
      else reject(new Error(`${command}: ${stderr.trim().split('\n').at(-1) || errorLine(error)}`))
    })
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
  })
}
