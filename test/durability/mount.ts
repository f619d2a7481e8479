import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A file system of its own, to be filled. */
export interface Mount {
  readonly path: string
  remove(): void
}

function run(file: string, ...args: string[]): void {
  execFileSync(file, args, { stdio: 'ignore' })
}

/** A small file system in memory. Throws where this user may not mount one. */
export function tmpfs(bytes: number): Mount {
  const path = mkdtempSync(join(tmpdir(), 'cinque-test-'))
  try {
    run('mount', '-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path)
  } catch (error) {
    rmSync(path, { recursive: true })
    throw error
  }
  return { path, remove: () => unmount(path) }
}

function unmount(path: string): void {
  run('umount', path)
  rmSync(path, { recursive: true })
}

/** Whether such a file system can be had here (Linux, as root). */
export function possible(mount: () => Mount): boolean {
  try {
    mount().remove()
    return true
  } catch {
    return false
  }
}
