import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** The process that a pid file names, if it runs and is the one: its command line names the cell's directory. */
export function findPid(file: string, directory: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8').trim())
    return pid > 1 && commandLine(pid).includes(directory) ? pid : undefined
  } catch {
    return undefined
  }
}

/** Empty for a process that has ended, also while nobody has asked how. */
function commandLine(pid: number): string {
  if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
}

/** Memory that a process has in RAM, in bytes; null where that can't be told. */
export function residentBytes(pid: number): number | null {
  try {
    const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return kb === null ? null : Number(kb[1]) * 1024
  } catch {
    return null
  }
}
