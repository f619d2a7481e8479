import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const periodUs = 100_000
/** Where controllers are hierarchies of their own (v1), and where there is one for all (v2). */
const hierarchies = ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup']

/** Processes that may have so much of the processors together, as systemd's `CPUWeight=1` and `CPUQuota=` have it (cgroups(7)). */
export class Share {
  readonly #group: string

  private constructor(group: string) {
    this.#group = group
  }

  /** Of one processor at most `percent`, a whole number. Null where this user may make no group. */
  static of(percent: number): Share | null {
    const under = hierarchies.find((path) => existsSync(join(path, 'cgroup.procs')))
    if (under === undefined) return null
    const group = join(under, `cinque-bench-${process.pid}`)
    const share = new Share(group)
    try {
      const controllers = join(under, 'cgroup.subtree_control')
      if (existsSync(controllers)) writeFileSync(controllers, '+cpu')
      mkdirSync(group)
      const quota = (percent * periodUs) / 100
      const v2 = existsSync(join(group, 'cpu.max'))
      writeFileSync(join(group, v2 ? 'cpu.weight' : 'cpu.shares'), v2 ? '1' : '10')
      if (v2) writeFileSync(join(group, 'cpu.max'), `${quota} ${periodUs}`)
      else writeFileSync(join(group, 'cpu.cfs_quota_us'), String(quota))
      return share
    } catch {
      share.remove()
      return null
    }
  }

  /** The command as it is run within. */
  command(program: string, args: readonly string[]): [string, string[]] {
    const script = 'echo $$ >"$0" && exec "$@"'
    return ['sh', ['-c', script, join(this.#group, 'cgroup.procs'), program, ...args]]
  }

  /** It stays while a process is in it. */
  remove(): void {
    try {
      rmdirSync(this.#group)
    } catch {
      // An empty group costs nothing.
    }
  }
}
