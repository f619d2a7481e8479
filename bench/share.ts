import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const periodUs = 100_000
/** Where controllers are hierarchies of their own (v1), and where there is one for all (v2). */
const hierarchies = ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup']

/** Processes that may have so much of one processor together, as systemd's `CPUQuota=` has it (cgroups(7)). */
export class Share {
  readonly #group: string

  private constructor(group: string) {
    this.#group = group
  }

  /** Null where this user may make none. */
  static of(percent: number): Share | null {
    const under = hierarchies.find((path) => existsSync(join(path, 'cgroup.procs')))
    if (under === undefined) return null
    const group = join(under, `cinque-bench-${process.pid}`)
    try {
      if (existsSync(join(under, 'cgroup.subtree_control')))
        writeFileSync(join(under, 'cgroup.subtree_control'), '+cpu')
      mkdirSync(group)
    } catch {
      return null
    }
    const quota = String(percent * (periodUs / 100))
    const v2 = join(group, 'cpu.max')
    if (existsSync(v2)) writeFileSync(v2, `${quota} ${periodUs}`)
    else writeFileSync(join(group, 'cpu.cfs_quota_us'), quota)
    return new Share(group)
  }

  /** The command as it is run within. */
  command(program: string, args: readonly string[]): [string, string[]] {
    const script = 'echo $$ >"$0" && exec "$@"'
    return ['sh', ['-c', script, join(this.#group, 'cgroup.procs'), program, ...args]]
  }

  /** When all of its processes have ended. */
  remove(): void {
    rmdirSync(this.#group)
  }
}
