import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ensureDebianPackage } from '#platform/engines/debian-package.ts'
import { createLogger } from '#platform/log.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../..', import.meta.url))

/** Names of metrics that the code declares; parts that are only known while it runs are `.+`. */
export function declared(): RegExp[] {
  const names = new Set<string>()
  for (const top of ['api', 'broker', 'cassandra', 'healthcheck', 'platform', 'scripts', 'puppet']) {
    for (const file of readdirSync(join(root, top), { recursive: true, encoding: 'utf8' })) {
      if (!/\.(ts|epp)$/.test(file)) continue
      const source = readFileSync(join(root, top, file), 'utf8')
      for (const [, , name] of source.matchAll(/(['`])(cinque_[^'`\n]+)\1/g)) names.add(name)
      for (const [, name] of source.matchAll(/^ +figure (cinque_\w+) /gm)) names.add(name)
    }
  }
  return Array.from(
    names,
    (name) => new RegExp(`^${name.replaceAll(/\$\{[^}]*\}/g, '[a-z_]+')}(?:_bucket|_sum|_count)?$`),
  )
}

/** Runs promtool there, and gives what it prints; it is fetched where it is missing. Rejects with its words. */
export async function promtoolIn(directory: string): Promise<(...args: string[]) => Promise<string>> {
  const log = createLogger({ level: 'silent' })
  const { root: unpacked, env } = await ensureDebianPackage('prometheus', { log })
  const options = { cwd: directory, env: { ...process.env, ...env } }
  return async (...args) => {
    try {
      return (await run(join(unpacked, 'usr/bin/promtool'), args, options)).stdout
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
      throw new Error(`${stdout}${stderr}`, { cause: error })
    }
  }
}
