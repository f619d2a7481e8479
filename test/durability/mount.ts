import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A file system of its own, to be filled or broken. */
export interface Mount {
  readonly path: string
  /** From now on every write fails with EROFS, as after an error of the disk. */
  makeReadOnly?: () => void
  /** Mounts it anew, checked. */
  repair?: () => void
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

/** An ext4 file system in a file that can be made read-only under open files. Throws where that cannot be had. */
export function ext4(megabytes: number): Mount {
  const folder = mkdtempSync(join(tmpdir(), 'cinque-test-'))
  const image = join(folder, 'image')
  const path = join(folder, 'mounted')
  try {
    run('truncate', '-s', `${megabytes}M`, image)
    run('mkfs.ext4', '-q', image)
    run('mkdir', path)
    run('mount', '-o', 'loop', image, path)
  } catch (error) {
    rmSync(folder, { recursive: true })
    throw error
  }
  return {
    path,
    makeReadOnly: () => run('mount', '-o', 'remount,abort', path),
    repair: () => {
      run('umount', path)
      check(image)
      run('mount', '-o', 'loop', image, path)
    },
    remove: () => {
      unmount(path)
      rmSync(folder, { recursive: true })
    },
  }
}

/** e2fsck says 1 when it has repaired something. */
function check(image: string): void {
  const { status } = spawnSync('e2fsck', ['-p', image], { stdio: 'ignore' })
  if (status !== 0 && status !== 1) throw new Error(`e2fsck ended with ${status}`)
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
