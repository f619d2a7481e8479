import { spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { pause } from '#scripts/pause.ts'
import { type CommandOptions, type Finished, must, run } from '#scripts/child-process.ts'
import { isMounted, mountDisk } from './disk.ts'
import { namespaceOf } from './network.ts'

export interface MachineOptions {
  readonly name: string
  readonly address: string
  /** Of the fleet: the host's is in it. */
  readonly directory: string
  readonly image: string
  /** Tar files that the host finds in /var/cache/cinque/artifacts. */
  readonly artifacts: string
  readonly memoryMb: number
  /** Processors; 0.5: half of one. */
  readonly cpus: number
  /** Of its disk; what is not written takes no place on this machine. */
  readonly diskGb: number
}

export type MachineState = 'off' | 'running' | 'degraded' | 'starting'

const bootMs = 120_000
const powerOffMs = 60_000
const pollMs = 50
/** SIGRTMIN+4 asks systemd to power off. */
const powerOffSignal = 'RTMIN+4'
const cgroups = '/sys/fs/cgroup'
/** In a mixed tree (v1 and v2) each of these is a hierarchy of its own; in a v2 tree there is one. */
const controllers = ['systemd', 'unified', 'memory', 'cpu', 'cpuacct', 'pids']

/**
 * A host of the test fleet: systemd in its own namespaces and cgroups, on a layer of its own over the image. Its network
 * namespace outlives it, as a host's address outlives a reinstallation.
 */
export class Machine {
  readonly options: MachineOptions
  readonly #home: string

  constructor(options: MachineOptions) {
    this.options = options
    this.#home = join(options.directory, 'hosts', options.name)
  }

  /** Where its files can be seen from outside while it is mounted. */
  get root(): string {
    return join(this.#home, 'root')
  }

  /** Boots it, on what is on its disk; resolves when systemd has started everything. */
  async boot(): Promise<void> {
    if (this.#leader() !== null) return
    await this.mount()
    const { name, artifacts } = this.options
    const groups = this.#makeGroups()
    const log = openSync(join(this.#home, 'console.log'), 'a')
    // The launcher moves into the host's own groups first: all of the host's processes are in them.
    const child = spawn(
      '/bin/sh',
      [
        '-c',
        'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 1; shift; done; shift; exec "$@"',
        'sh',
        ...groups,
        '--',
        'systemd-nspawn',

        '--quiet',
        '--register=no',
        '--keep-unit',
        '--boot',
        `--machine=${name}`,
        `--directory=${this.root}`,
        `--network-namespace-path=/run/netns/${namespaceOf(name)}`,
        `--bind-ro=${artifacts}:/var/cache/cinque/artifacts`,
        '--capability=CAP_NET_ADMIN',
        '--console=read-only',
        '--link-journal=no',
        '--resolv-conf=off',
        '--timezone=off',
      ],
      {
        stdio: ['ignore', log, log],
        detached: true,
        env: {
          PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
          SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1',
          // Else /proc/sys/net is read-only.
          SYSTEMD_NSPAWN_API_VFS_WRITABLE: 'network',
        },
      },
    )
    closeSync(log)
    child.unref()
    writeFileSync(join(this.#home, 'nspawn'), String(child.pid))
    const deadline = performance.now() + bootMs
    for (;;) {
      const state = await this.state()
      if (state === 'running' || state === 'degraded') return
      if (child.exitCode !== null || performance.now() > deadline) {
        const said = readFileSync(join(this.#home, 'console.log'), 'utf8').trim().split('\n').at(-1)
        throw new Error(`${name} does not boot: ${said ?? 'its console says nothing'}`)
      }
      await pause(pollMs)
    }
  }

  /** Powers it off in good order; what is on its disk stays. */
  async powerOff(): Promise<void> {
    const leader = this.#leader()
    if (leader !== null) await run('kill', [`-${powerOffSignal}`, String(leader)])
    if (leader === null || !(await this.#gone(powerOffMs))) await this.cutPower()
    await this.#unmount()
  }

  /** As if its power failed. */
  async cutPower(): Promise<void> {
    const leader = this.#leader()
    if (leader !== null) process.kill(leader, 'SIGKILL')
    if (!(await this.#gone(powerOffMs))) throw new Error(`${this.options.name} does not end`)
    // Without its systemd-nspawn, which somebody else has killed, the host goes on.
    for (const pid of this.#groups().flatMap(processesIn)) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended meanwhile.
      }
    }
  }

  /** Throws its disk away: the next boot is of a host that has just been rented. */
  async wipe(): Promise<void> {
    await this.cutPower()
    await this.#unmount()
    rmSync(this.#home, { recursive: true, force: true })
    this.#removeGroups()
  }

  async mount(): Promise<void> {
    if (await isMounted(this.root)) return
    const disk = join(this.#home, 'disk')
    mkdirSync(this.root, { recursive: true })
    if (!(await isMounted(disk))) await mountDisk(`${disk}.ext4`, disk, this.options.diskGb)
    const [upper, work] = ['upper', 'work'].map((one) => join(disk, one))
    for (const path of [upper, work]) mkdirSync(path, { recursive: true })
    const layers = `lowerdir=${this.options.image},upperdir=${upper},workdir=${work}`
    await must('mount', ['-t', 'overlay', 'overlay', '-o', layers, this.root])
  }

  async state(): Promise<MachineState> {
    if (this.#leader() === null) return 'off'
    const { stdout } = await this.exec(['systemctl', 'is-system-running'], { timeoutMs: 10_000 })
    const said = stdout.trim()
    return said === 'running' || said === 'degraded' ? said : 'starting'
  }

  /** Runs a program on the host as root, without ssh; its exit code is the program's. */
  exec(command: readonly string[], options: CommandOptions = {}): Promise<Finished> {
    const leader = this.#leader()
    if (leader === null) {
      return Promise.resolve({ code: 1, stdout: '', stderr: `${this.options.name} is off` })
    }
    const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    return run(
      'nsenter',
      [
        '-t',
        String(leader),
        '-m',
        '-u',
        '-i',
        '-n',
        '-p',
        '-C',
        '-r',
        '-w',
        'env',
        '-i',
        path,
        'HOME=/root',
        'LANG=C.UTF-8',
        ...command,
      ],
      options,
    )
  }

  /** Bytes in memory, and seconds of processor since it was booted first. */
  usage(): { memory: number; cpuSeconds: number } {
    const read = (controller: string, file: string): number => {
      const path = join(cgroups, controller, 'cinque', this.options.name, file)
      return existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0
    }
    return {
      memory: read('memory', 'memory.usage_in_bytes'),
      cpuSeconds: read('cpuacct', 'cpuacct.usage') / 1e9,
    }
  }

  /** Process 1 of the host, as this machine numbers it. */
  #leader(): number | null {
    const file = join(this.#home, 'nspawn')
    if (!existsSync(file)) return null
    const pid = readFileSync(file, 'utf8').trim()
    try {
      if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`--machine=${this.options.name}`))
        return null
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
      const leader = children.find(
        (child) => child !== '' && readFileSync(`/proc/${child}/comm`, 'utf8').trim() === 'systemd',
      )
      return leader === undefined ? null : Number(leader)
    } catch {
      // It ended meanwhile.
      return null
    }
  }

  async #gone(ms: number): Promise<boolean> {
    const file = join(this.#home, 'nspawn')
    if (!existsSync(file)) return true
    const pid = readFileSync(file, 'utf8').trim()
    const deadline = performance.now() + ms
    const alive = (): boolean => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`--machine=${this.options.name}`)
      } catch {
        return false
      }
    }
    while (alive()) {
      if (performance.now() > deadline) return false
      await pause(pollMs)
    }
    rmSync(file, { force: true })
    return true
  }

  #groups(): string[] {
    const mixed = controllers.map((one) => join(cgroups, one)).filter((path) => existsSync(path))
    return (mixed.length > 0 ? mixed : [cgroups]).map((path) => join(path, 'cinque', this.options.name))
  }

  /** Without groups of their own all hosts would be one to systemd, and have no limits. */
  #makeGroups(): string[] {
    const { memoryMb, cpus } = this.options
    const groups = this.#groups()
    for (const group of groups) {
      mkdirSync(group, { recursive: true })
      const set = (file: string, value: string): void => {
        if (existsSync(join(group, file))) writeFileSync(join(group, file), value)
      }
      set('memory.limit_in_bytes', `${memoryMb}M`)
      set('memory.max', `${memoryMb}M`)
      set('cpu.cfs_quota_us', String(Math.round(cpus * 100_000)))
      set('cpu.max', `${Math.round(cpus * 100_000)} 100000`)
      weighFleet(dirname(group))
    }
    return groups
  }

  async #unmount(): Promise<void> {
    for (const path of [this.root, join(this.#home, 'disk')]) {
      if (await isMounted(path)) await must('umount', [path])
    }
  }

  #removeGroups(): void {
    for (const group of this.#groups()) removeGroup(group)
  }
}

/** In a group and those within it. */
function processesIn(path: string): number[] {
  try {
    const within = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    const own = readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number)
    return [...own, ...within.flatMap(({ name }) => processesIn(join(path, name)))]
  } catch {
    // It is not there, or goes while it is read.
    return []
  }
}

/** From the innermost one; those with processes stay. */
function removeGroup(path: string): void {
  if (!existsSync(path)) return
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeGroup(join(path, entry.name))
  }
  try {
    rmdirSync(path)
  } catch {
    // A process that is just ending: the next time.
  }
}

/** Each host counts as much as any one process of this machine; together they would, otherwise. */
function weighFleet(group: string): void {
  const hosts = readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory()).length
  const set = (file: string, value: number): void => {
    if (existsSync(join(group, file))) writeFileSync(join(group, file), String(value))
  }
  set('cpu.shares', 1024 * hosts)
  set('cpu.weight', Math.min(100 * hosts, 10_000))
}
