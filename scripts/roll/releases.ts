import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Host } from '#platform/inventory/inventory.ts'
import { sha256Of } from '#scripts/fleet/release.ts'

/** `cinque-0.1.1-6f9ab05388a2.tar`, as `cinque release pack` names it: the version, and how the hash of the file begins. */
const tarName = /^cinque-((\d+)\.(\d+)\.(\d+)-[0-9a-f]{12})\.tar$/

export interface ReleaseFile {
  readonly release: string
  readonly file: string
}

/** The one with the highest version of the releases whose tar files are in these directories. */
export function newestRelease(directories: readonly string[]): ReleaseFile | undefined {
  const found = directories.flatMap((directory) =>
    (existsSync(directory) ? readdirSync(directory) : []).flatMap((name): ReleaseFile[] => {
      const [, release] = tarName.exec(name) ?? []
      return release === undefined ? [] : [{ release, file: join(directory, name) }]
    }),
  )
  return found.toSorted((a, b) => compareVersions(a.release, b.release)).at(-1)
}

/** SHA-256 of a release's tar file. Error: it is not whole, or not that release. */
export async function hashOf({ release, file }: ReleaseFile): Promise<string> {
  const digest = await sha256Of(file)
  if (digest.startsWith(release.split('-')[1] ?? '')) return digest
  throw new Error(`${file} is not whole: its hash begins with ${digest.slice(0, 12)}; bring it again`)
}

/** Below 0: the first one's version is the older one; 0: they differ in their hashes at most. */
export function compareVersions(one: string, other: string): number {
  const [a, b] = [one, other].map((release) => release.split('-', 1)[0])
  return a.localeCompare(b, 'en', { numeric: true })
}

/** Hosts with nothing but Cassandra run nothing of a release. */
export function runsRelease({ roles }: Pick<Host, 'roles'>): boolean {
  return roles.some((role) => role !== 'db')
}
