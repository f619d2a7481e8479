import { readFileSync } from 'node:fs'

/** Of /proc/<pid>/stat. */
const TICK_MS = 10

/** CPU that processes have used in all, milliseconds (Linux); NaN if one of them is gone. */
export function cpuMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuOf(pid), 0)
}

function cpuOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS
  } catch {
    return NaN
  }
}
