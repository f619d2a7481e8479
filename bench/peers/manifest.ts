import { readFile } from 'node:fs/promises'
import { z } from 'zod'

const manifest = z.object({ version: z.string() })

/** The version of a package.json. */
export async function manifestVersion(file: string | URL): Promise<string> {
  return manifest.parse(JSON.parse(await readFile(file, 'utf8'))).version
}
