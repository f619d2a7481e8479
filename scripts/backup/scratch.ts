import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { CliError, errorLine } from '#scripts/output.ts'

const namePattern = /^cinque-backup-(\d+)-\w{6}$/

/**
 * Runs `work` with an empty directory below `parent`, which is removed afterwards, also when the command is stopped: there
 * are data in it that nobody else has in the clear. What a command left that was killed is removed first.
 */
export async function withScratch<T>(parent: string, work: (directory: string) => Promise<T>): Promise<T> {
  let directory: string
  try {
    for (const name of readdirSync(parent)) {
      const pid = namePattern.exec(name)?.[1]
      if (pid === undefined || isAlive(Number(pid))) continue
      // What root left behind only root can remove: no reason for others to make no backups.
      if (mayRemove(join(parent, name))) remove(join(parent, name))
      else process.stderr.write(`scratch: ${join(parent, name)} was left by another user: remove it\n`)
    }
    directory = await mkdtemp(join(parent, `cinque-backup-${process.pid}-`))
  } catch (error) {
    throw new CliError(`scratch: ${errorLine(error)}`, { cause: error })
  }
  const stopped = (): never => {
    remove(directory)
    process.exit(1)
  }
  process.once('SIGINT', stopped).once('SIGTERM', stopped)
  try {
    return await work(directory)
  } finally {
    process.off('SIGINT', stopped).off('SIGTERM', stopped)
    remove(directory)
  }
}

function mayRemove(directory: string): boolean {
  const we = process.getuid?.()
  return we === 0 || statSync(directory).uid === we
}

/** Ends the scratch node that may run there, too: nodes outlive who started them. */
function remove(directory: string): void {
  try {
    const pid = Number(readFileSync(join(directory, 'node', 'pid'), 'utf8'))
    if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(directory)) process.kill(pid, 'SIGKILL')
  } catch {
    // None, or it has ended.
  }
  rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
