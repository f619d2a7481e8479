import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ensureCassandra } from '#cassandra/local/engine.ts'
import { versions } from '#cassandra/local/versions.ts'
import { enginesDirectory } from '#platform/engines/directory.ts'
import type { Logger } from '#platform/log.ts'
import { ensureNatsServer } from '#platform/nats/server/engine.ts'
import { ownTree, packRelease } from './release.ts'
import { tar } from './tar.ts'

/** The tar files that hosts unpack, as `puppet/modules/profile` looks for them. */
export interface Artifacts {
  /** Name of the release of cinque, as `packRelease` answers it. */
  readonly release: string
}

/** Packs what is here into a directory. What does not change is not packed again. */
export async function makeArtifacts(directory: string, log: Logger): Promise<Artifacts> {
  const nats = await ensureNatsServer({ log })
  await ensureCassandra({ log })
  await tarOnce(join(directory, 'nats-server.tar'), dirname(nats), ['nats-server'])
  const jars = join(enginesDirectory(), `cassandra-${versions.cassandra}`)
  await tarOnce(join(directory, 'cassandra.tar'), jars, ['jars'])
  return { release: await packRelease(ownTree, directory) }
}

async function tarOnce(file: string, directory: string, names: readonly string[]): Promise<void> {
  if (!existsSync(file)) await tar(file, directory, names)
}
