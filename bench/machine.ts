import { readFileSync } from 'node:fs'
import os from 'node:os'
import { pinnedTo, run, unpinned, type Pin } from './process.ts'

/** What figures depend on. */
export interface Machine {
  readonly cores: number
  readonly cpu: string
  readonly memoryGb: number
  readonly kernel: string
  readonly node: string
}

export function describeMachine(): Machine {
  const cpus = os.cpus()
  return {
    cores: cpus.length,
    cpu: cpus[0]?.model.trim() ?? 'unknown',
    memoryGb: Math.round(os.totalmem() / 2 ** 30),
    kernel: `${os.type()} ${os.release()}`,
    node: process.version,
  }
}

/** The broker on one core, the generator on another; neither pinned where there is one core or no taskset. */
export async function choosePins(): Promise<{ broker: Pin; generator: Pin; note: string | null }> {
  if (os.cpus().length < 2)
    return {
      broker: unpinned,
      generator: unpinned,
      note: 'one core: broker and generator share it, rates are too low',
    }
  const { code } = await run('taskset', ['-V'])
  if (code !== 0)
    return { broker: unpinned, generator: unpinned, note: 'no taskset (util-linux): nothing is pinned' }
  return { broker: pinnedTo(1), generator: pinnedTo(0), note: null }
}

/** Load of others before a run, in processes that want to run. */
const QUIET_LOAD = 0.5

/** A warning when others use the cores: figures of such a run say little, medians of ratios a bit more. */
export function busyNote(): string | null {
  const [load = 0] = os.loadavg()
  return load < QUIET_LOAD ? null : `not quiet: load average ${load.toFixed(1)} before the run`
}

/** Processor time since the machine started, of all cores: in all, and what other machines of the same host took away. */
interface Taken {
  readonly all: number
  readonly stolen: number
}

/** Zeros where `/proc/stat` is not there. */
export function readTaken(): Taken {
  try {
    const ticks = readFileSync('/proc/stat', 'utf8')
      .split('\n', 1)[0]
      .trim()
      .split(/\s+/)
      .slice(1, 9)
      .map(Number)
    return { all: ticks.reduce((sum, one) => sum + one, 0), stolen: ticks[7] ?? 0 }
  } catch {
    return { all: 0, stolen: 0 }
  }
}

/** A tick of /proc, milliseconds (proc(5), USER_HZ). */
const TICK_MS = 10
const cores = Math.max(1, os.cpus().length)

/**
 * Milliseconds that pass only while this machine's processors are its own: what other machines of the same host take
 * away (steal, proc(5)) does not count.
 */
export function ownTime(): number {
  return performance.now() - (readTaken().stolen * TICK_MS) / cores
}

/** Of a hundred ticks since `before`, those that other machines of the same host took away. */
export function stolenSince(before: Taken): number {
  const now = readTaken()
  return now.all === before.all ? 0 : (100 * (now.stolen - before.stolen)) / (now.all - before.all)
}

/** Seconds of processor time of all processes that this one has started and that have ended, with what they had started. NaN where `/proc` is not there. */
export function childTime(): number {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return ((Number(fields[13]) + Number(fields[14])) * TICK_MS) / 1000
  } catch {
    return NaN
  }
}
