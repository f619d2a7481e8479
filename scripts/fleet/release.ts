import { createHash } from 'node:crypto'
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { CliError } from '#scripts/output.ts'
import { tar } from './tar.ts'

/** Of a file, as hexadecimal digits. */
export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

/** Of this program: its checkout. */
export const ownTree = fileURLToPath(new URL('../..', import.meta.url))
const program = [
  'api',
  'broker',
  'cassandra',
  'healthcheck',
  'platform',
  'scripts',
  'client',
  // An operator makes hosts anew by it.
  'puppet',
  'package.json',
]
/** Tar files of releases in one directory; older ones are removed. Each has 150 MB. */
const maxKept = 4

const manifestSchema = z.object({ version: z.string() })
const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({ dev: z.boolean().optional(), devOptional: z.boolean().optional() }),
  ),
})

/**
 * Packs a checkout with what it needs to run, Node included, as `cinque-RELEASE.tar` into a directory. Resolves with the
 * name of the release: the version, and a hash of what is in it. CliError: it is no checkout whose packages are installed.
 */
export async function packRelease(tree: string, directory: string): Promise<string> {
  const { version } = read(tree, 'package.json', manifestSchema)
  mkdirSync(directory, { recursive: true })
  const packed = join(directory, '.cinque.tar')
  const rename = '--transform=s,^node_modules/node-linux-[^/]*/bin/node$,bin/node,'
  await tar(packed, tree, [...program, ...dependencies(tree)], [rename])
  const release = `${version}-${(await sha256Of(packed)).slice(0, 12)}`
  renameSync(packed, join(directory, `cinque-${release}.tar`))
  prune(directory)
  return release
}

/** What runs without the packages for development; of Node just the program. */
function dependencies(tree: string): string[] {
  const lock = read(tree, 'package-lock.json', lockSchema)
  const node = `node_modules/node-linux-${process.arch}/bin/node`
  if (!existsSync(join(tree, node))) {
    throw new CliError(`there is no ${join(tree, node)}`, { remedy: 'Install its packages: npm ci' })
  }
  const needed = Object.entries(lock.packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true)
    .map(([path]) => path)
    .filter((path) => !/node_modules\/node-(bin-)?(linux|darwin)-/.test(path))
    // Those in another one's directory come with it.
    .filter((path) => path.lastIndexOf('node_modules/') === 0 && existsSync(join(tree, path)))
  return [...needed, node]
}

function read<T extends z.ZodType>(tree: string, name: string, schema: T): z.output<T> {
  const file = join(tree, name)
  if (!existsSync(file)) throw new CliError(`there is no ${file}: a release is packed from a checkout`)
  return schema.parse(JSON.parse(readFileSync(file, 'utf8')))
}

/** Removes all but the youngest. */
function prune(directory: string): void {
  const files = readdirSync(directory)
    .filter((name) => /^cinque-.*\.tar$/.test(name))
    .map((name) => join(directory, name))
    .toSorted((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)
  for (const file of files.slice(maxKept)) rmSync(file)
}
