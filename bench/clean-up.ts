import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

const atExit = new Set<() => void>()
let watching = false

function watch(): void {
  if (watching) return
  watching = true
  process.on('exit', () => {
    for (const action of atExit) action()
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
}

/** Runs an action when this process ends before `cancel` is called: at an error, at Ctrl-C. */
export function onEarlyExit(action: () => void): { cancel(): void } {
  watch()
  atExit.add(action)
  return { cancel: () => void atExit.delete(action) }
}

/** Calls `use` with a new directory and removes it afterwards. Below the system's temporary directory by default. */
export async function withDirectory<T>(use: (directory: string) => Promise<T>, base = tmpdir()): Promise<T> {
  const directory = await mkdtemp(path.join(base, 'cinque-bench-'))
  const early = onEarlyExit(() => rmSync(directory, { recursive: true, force: true }))
  try {
    return await use(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
    early.cancel()
  }
}
