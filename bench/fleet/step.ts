import { setTimeout as delay } from 'node:timers/promises'
import type { Host } from '#platform/inventory/inventory.ts'
import type { Fleet } from '#scripts/fleet/fleet.ts'

/** What a step was seen to do. */
export interface Seen {
  readonly seconds: number
  readonly what: string
  readonly good: boolean
}

interface Setting {
  readonly fleet: Fleet
  /** Its directory. */
  readonly data: string
  /** An app host, and a db host that others can do without. */
  readonly app: Host
  readonly db: Host
  /** An app host of another DC than `db`. */
  readonly far: Host
  readonly megabytes: number
}

export type Step = (setting: Setting) => Promise<Omit<Seen, 'seconds'>>

const pollMs = 500
const limitMs = 240_000

/** What a command prints that a host runs as root. Rejects with its words. */
export async function said(
  fleet: Fleet,
  host: Host,
  command: string,
  timeoutMs: number = limitMs,
): Promise<string> {
  const { code, stdout, stderr } = await fleet.machine(host).exec(['sh', '-c', command], { timeoutMs })
  if (code !== 0) throw new Error(`${host.name}: ${command}: ${stderr.trim() || `ended with ${code}`}`)
  return stdout.trim()
}

/** Waits until it is so; `why`: what is missing, for people. */
export async function until(
  isSo: () => Promise<boolean>,
  why: () => string = () => 'not so',
  ms: number = limitMs,
): Promise<void> {
  const deadline = performance.now() + ms
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`${why()} after ${ms / 1000} s`)
    await delay(pollMs)
  }
}

/** One more run of Puppet everywhere. */
export const again: Step = async ({ fleet }) => {
  const applied = await fleet.apply()
  const changed = applied.filter(({ outcome }) => outcome === 'changed').map(({ host }) => host)
  return { what: `Puppet changes ${changed.join(', ') || 'nothing'}`, good: changed.length === 0 }
}
