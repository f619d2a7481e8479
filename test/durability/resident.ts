import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Kilobytes that a process has taken for itself. Without the pages of mapped files where the system tells (Linux). */
export function residentKb(pid: number): number {
  if (process.platform !== 'linux')
    return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)]).toString())
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1])
}
