import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** `cinque-0.1.1-6f9ab05388a2.tar`, as `cinque release pack` names it. */
const tarName = /^cinque-((\d+)\.(\d+)\.(\d+)-[0-9a-f]{12})\.tar$/

/** The newest release whose tar file is in one of the directories: by its version, of one version the file made last. */
export function newestRelease(directories: readonly string[]): string | undefined {
  const found = directories.flatMap((directory) =>
    (existsSync(directory) ? readdirSync(directory) : []).flatMap((name) => {
      const [, release] = tarName.exec(name) ?? []
      return release === undefined ? [] : [{ release, made: statSync(join(directory, name)).mtimeMs }]
    }),
  )
  return found.toSorted((a, b) => compareVersions(a.release, b.release) || a.made - b.made).at(-1)?.release
}

/** Below 0: the first one's version is the older one; 0: they differ in their hashes at most. */
export function compareVersions(one: string, other: string): number {
  const [a, b] = [one, other].map((release) => release.split('-', 1)[0].split('.').map(Number))
  for (const [at, number] of a.entries()) {
    if (number !== b[at]) return number - (b[at] ?? 0)
  }
  return 0
}
