import { spawn } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { delayBetween } from '#platform/inventory/wan.ts'
import { type Pair, pairsOf } from '#scripts/cell/wan/rules.ts'
import { compileDelayQueue } from '#scripts/cell/wan/wan.ts'
import { enginesDirectory } from '#platform/engines/directory.ts'
import { CliError } from '#scripts/output.ts'
import { pause } from '#scripts/pause.ts'
import { must, run } from '#scripts/child-process.ts'
import { gatewayOf, network } from './inventory.ts'

/** Network namespace of the routers; a bridge in it is a DC. Nothing in it touches the machine's own network. */
export const routers = 'cinque-fleet'
export const namespaceOf = (host: string): string => `cinque-${host}`
const readyMs = 30_000

export interface Loss {
  readonly pair: Pair
  /** Of a hundred packets. */
  readonly percent: number
}

/**
 * The network of a fleet: a namespace for each host, a bridge for each DC, and a router between DCs that holds packets
 * back for as long as the distance takes, or lets none through.
 */
export class FleetNetwork {
  readonly #inventory: Inventory
  readonly #directory: string

  constructor(inventory: Inventory, directory: string) {
    this.#inventory = inventory
    this.#directory = directory
  }

  /** Makes what is missing. */
  async up(say: (line: string) => void): Promise<void> {
    const { dcs, hosts } = this.#inventory
    const there = await namespaces()
    const ours = join(this.#directory, 'ours')
    await this.refuseAnother()
    if (!there.has(routers)) {
      mkdirSync(this.#directory, { recursive: true })
      writeFileSync(ours, '')
      await must('ip', ['netns', 'add', routers])
      const inside = (...args: string[]): Promise<string> => must('ip', ['-n', routers, ...args])
      await inside('link', 'set', 'lo', 'up')
      await inRouters('sysctl', ['-qw', 'net.ipv4.ip_forward=1'])
      // What is nowhere is refused at once: a question to the cloud's metadata server would hang for a minute.
      await inside('route', 'add', 'unreachable', 'default', 'metric', '4294967295')
      for (const { number } of dcs) {
        const bridge = `dc${number}`
        await inside('link', 'add', bridge, 'type', 'bridge')
        await inside('addr', 'add', `${gatewayOf(number)}/24`, 'dev', bridge)
        await inside('link', 'set', bridge, 'up')
      }
    }
    for (const host of hosts) {
      if (!there.has(namespaceOf(host.name))) await this.#join(host)
    }
    await this.#startDelays(say)
    await this.#apply()
  }

  /** CliError: the networks, and the hosts of these names that run, are those of another directory. */
  async refuseAnother(): Promise<void> {
    if (!(await namespaces()).has(routers) || existsSync(join(this.#directory, 'ours'))) return
    throw new CliError('another fleet is on this machine, with the same networks', {
      remedy: 'End that one first: cinque fleet down --data DIR, with its directory.',
    })
  }

  /** Removes everything. */
  async down(): Promise<void> {
    const pid = this.#helperPid()
    if (pid !== null) process.kill(pid, 'SIGTERM')
    for (const file of ['pid', 'ours']) rmSync(join(this.#directory, file), { force: true })
    const there = await namespaces()
    for (const name of [...this.#inventory.hosts.map((host) => namespaceOf(host.name)), routers]) {
      if (there.has(name)) await must('ip', ['netns', 'del', name])
    }
  }

  /** Takes a host's network away. */
  async leave({ name }: Pick<Host, 'name'>): Promise<void> {
    if ((await namespaces()).has(namespaceOf(name))) await must('ip', ['netns', 'del', namespaceOf(name)])
  }

  /** Lets no packet through between two DCs, without telling them; or again. */
  async cut(pair: Pair, cut: boolean): Promise<void> {
    const cuts = this.cuts().filter((one) => one.join() !== pair.join())
    writeFileSync(join(this.#directory, 'cuts.json'), JSON.stringify(cut ? [...cuts, pair] : cuts))
    await this.#apply()
  }

  /** Pairs of DC numbers, the lower one first. */
  cuts(): Pair[] {
    return this.#kept<Pair>('cuts')
  }

  /** Loses so many of a hundred packets between two DCs, each way; 0: none any more. */
  async lose(pair: Pair, percent: number): Promise<void> {
    const losses = this.losses().filter((one) => one.pair.join() !== pair.join())
    const kept = percent > 0 ? [...losses, { pair, percent }] : losses
    writeFileSync(join(this.#directory, 'losses.json'), JSON.stringify(kept))
    await this.#apply()
  }

  losses(): Loss[] {
    return this.#kept<Loss>('losses')
  }

  #kept<T>(name: 'cuts' | 'losses'): T[] {
    const file = join(this.#directory, `${name}.json`)
    return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T[]) : []
  }

  async #join({ name, address, dc }: Host): Promise<void> {
    const number = this.#numberOf(dc)
    const namespace = namespaceOf(name)
    // Stays its own, whichever hosts come and go.
    const outer = `h${number}-${address.split('.').at(-1)}`
    await must('ip', ['netns', 'add', namespace])
    const veth = ['type', 'veth', 'peer', 'name', 'host0', 'netns', namespace]
    await must('ip', ['link', 'add', outer, 'netns', routers, ...veth])
    await must('ip', ['-n', routers, 'link', 'set', outer, 'master', `dc${number}`, 'up'])
    const inside = (...args: string[]): Promise<string> => must('ip', ['-n', namespace, ...args])
    await inside('addr', 'add', `${address}/24`, 'dev', 'host0')
    await inside('link', 'set', 'lo', 'up')
    await inside('link', 'set', 'host0', 'up')
    await inside('route', 'add', 'default', 'via', gatewayOf(number))
  }

  #numberOf(dc: string): number {
    const found = this.#inventory.dcs.find(({ name }) => name === dc)
    if (found === undefined) throw new Error(`a host of a test fleet is in a DC; ${dc} is none`)
    return found.number
  }

  #pairs(): Pair[] {
    return pairsOf(this.#inventory.dcs.map(({ number }) => number))
  }

  async #startDelays(say: (line: string) => void): Promise<void> {
    if (this.#helperPid() !== null || this.#pairs().length === 0) return
    const program = await compileDelayQueue({ directory: join(enginesDirectory(), 'delayq'), say })
    mkdirSync(this.#directory, { recursive: true })
    const nameOf = (number: number): string =>
      this.#inventory.dcs.find((dc) => dc.number === number)?.name ?? ''
    const queues = this.#pairs().map(
      ([a, b], queue) => `${queue}:${delayBetween(this.#inventory, nameOf(a), nameOf(b))}`,
    )
    // It ends with its standard input: a pipe that it holds open itself never ends.
    const fifo = join(this.#directory, 'stdin')
    rmSync(fifo, { force: true })
    await must('mkfifo', [fifo])
    const stdin = openSync(fifo, constants.O_RDWR)
    const log = join(this.#directory, 'delayq.log')
    const out = openSync(log, 'w')
    const child = spawn('nsenter', [`--net=/run/netns/${routers}`, program, ...queues], {
      stdio: [stdin, out, out],
      detached: true,
    })
    child.unref()
    closeSync(stdin)
    closeSync(out)
    writeFileSync(join(this.#directory, 'pid'), String(child.pid))
    const deadline = performance.now() + readyMs
    while (!readFileSync(log, 'utf8').includes('ready')) {
      if (performance.now() > deadline || child.exitCode !== null) {
        throw new Error(`the delay helper did not start: ${readFileSync(log, 'utf8').trim()}`)
      }
      await pause(20)
    }
  }

  #helperPid(): number | null {
    const file = join(this.#directory, 'pid')
    if (!existsSync(file)) return null
    const pid = Number(readFileSync(file, 'utf8'))
    const command = `/proc/${pid}/cmdline`
    return existsSync(command) && readFileSync(command, 'utf8').includes('delayq') ? pid : null
  }

  async #apply(): Promise<void> {
    const cuts = new Set(this.cuts().map((pair) => pair.join()))
    // By iptables: not every kernel has the queue of nft.
    const lost = new Map(this.losses().map(({ pair, percent }) => [pair.join(), percent / 100]))
    const rules = this.#pairs().flatMap(([a, b], queue) => {
      const pair = [a, b].join()
      const verdict = cuts.has(pair) ? 'DROP' : `NFQUEUE --queue-num ${queue} --queue-bypass`
      const share = lost.get(pair)
      return [
        [a, b],
        [b, a],
      ].flatMap(([from, to]) => {
        const rule = `-A FORWARD -s ${network(from)} -d ${network(to)}`
        const loss = `${rule} -m statistic --mode random --probability ${share} -j DROP`
        return [...(share === undefined ? [] : [loss]), `${rule} -j ${verdict}`]
      })
    })
    const table = ['*mangle', ':FORWARD ACCEPT [0:0]', ...rules, 'COMMIT', '']
    await inRouters('iptables-restore', [], table.join('\n'))
  }
}

/** A program with the network of the routers: it reaches every host. */
function inRouters(program: string, args: readonly string[], input = ''): Promise<string> {
  return must('nsenter', [`--net=/run/netns/${routers}`, program, ...args], { input })
}

async function namespaces(): Promise<Set<string>> {
  const { stdout } = await run('ip', ['netns', 'list'])
  return new Set(stdout.split('\n').map((line) => line.split(' ')[0]))
}
