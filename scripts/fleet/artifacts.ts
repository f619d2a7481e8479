import { createHash } from 'node:crypto'
import { createReadStream, existsSync, readFileSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { ensureCassandra } from '#cassandra/local/engine.ts'
import { versions } from '#cassandra/local/versions.ts'
import { enginesDirectory } from '#platform/engines/directory.ts'
import type { Logger } from '#platform/log.ts'
import { ensureNatsServer } from '#platform/nats/server/engine.ts'
import { version } from '#scripts/version.ts'
import { must } from '#scripts/child-process.ts'

/** The tar files that hosts unpack, as `puppet/modules/profile` looks for them. */
export interface Artifacts {
  /** Name of the release of cinque: its version, and a hash of what is in it. */
  readonly release: string
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const program = ['api', 'broker', 'cassandra', 'healthcheck', 'platform', 'scripts', 'client', 'package.json']
/** The same contents are the same file, whoever packs them and when. */
const reproducible = [
  '--sort=name',
  '--mtime=@0',
  '--owner=0',
  '--group=0',
  '--numeric-owner',
  '--mode=go=rX,u+rw',
]

/** Packs what is here into a directory. What does not change is not packed again. */
export async function makeArtifacts(directory: string, log: Logger): Promise<Artifacts> {
  const nats = await ensureNatsServer({ log })
  await ensureCassandra({ log })
  await tarOnce(join(directory, 'nats-server.tar'), dirname(nats), ['nats-server'])
  const jars = join(enginesDirectory(), `cassandra-${versions.cassandra}`)
  await tarOnce(join(directory, 'cassandra.tar'), jars, ['jars'])
  const file = join(directory, 'cinque.tar')
  await tar(
    file,
    root,
    [...program, ...dependencies()],
    ['--transform=s,^node_modules/node-linux-[^/]*/bin/node$,bin/node,'],
  )
  return { release: `${version}-${(await sha256(file)).slice(0, 12)}` }
}

/** What runs without the packages for development; of Node just the program. */
function dependencies(): string[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>
  }
  const node = `node_modules/node-linux-${process.arch}`
  const needed = Object.entries(lock.packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true)
    .map(([path]) => path)
    .filter((path) => !/node_modules\/node-(bin-)?(linux|darwin)-/.test(path))
    // Those in another one's directory come with it.
    .filter((path) => path.lastIndexOf('node_modules/') === 0 && existsSync(join(root, path)))
  return [...needed, `${node}/bin/node`]
}

async function tarOnce(file: string, directory: string, names: readonly string[]): Promise<void> {
  if (!existsSync(file)) await tar(file, directory, names)
}

async function tar(
  file: string,
  directory: string,
  names: readonly string[],
  more: readonly string[] = [],
): Promise<void> {
  await must('tar', [...reproducible, ...more, '-C', directory, '-cf', `${file}.new`, ...names])
  renameSync(`${file}.new`, file)
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}
