import { existsSync, mkdirSync } from 'node:fs'
import { must, run } from '#scripts/child-process.ts'

/**
 * Mounts a disk of its own size, which is a file here; makes it first if it is not there. Without a journal: a host whose
 * power is cut loses nothing of it, for its kernel is this machine's.
 */
export async function mountDisk(file: string, at: string, gb: number): Promise<void> {
  mkdirSync(at, { recursive: true })
  if (!existsSync(file)) {
    await must('truncate', [`--size=${gb}G`, `${file}.new`])
    await must('mkfs.ext4', ['-q', '-F', '-m', '0', '-O', '^has_journal', `${file}.new`])
    await must('mv', [`${file}.new`, file])
  }
  await must('mount', ['-o', 'loop,noatime', file, at])
}

export async function isMounted(path: string): Promise<boolean> {
  return (await run('mountpoint', ['-q', path])).code === 0
}
