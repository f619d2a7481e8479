import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Logger } from '#platform/log.ts'
import type { Engine } from './engine.ts'
import { startNode } from './node.ts'

/**
 * Runs a node once for the archive of the classes that it loads (AppCDS). Without it nodes start too, only slower:
 * a failure is logged, not thrown.
 */
export async function archiveClasses(engine: Engine, file: string, log: Logger): Promise<void> {
  let directory: string | undefined
  try {
    // The programs may lie where we may not write: then every start is a slow one.
    directory = mkdtempSync(join(dirname(file), 'archive-'))
    log.info({ event: 'engine.archive' }, 'preparing a quick start of Cassandra (once)')
    const written = join(directory, 'classes.jsa')
    const node = await startNode({
      engine,
      directory,
      ip: '127.255.255.254',
      dc: 'dc01',
      writeArchive: written,
    })
    await node.cqlReady
    await node.stop()
    if (!existsSync(file)) renameSync(written, file)
  } catch (error) {
    log.warn(
      { event: 'engine.archive_failed', err: error },
      'Cassandra will start without an archive of classes',
    )
  } finally {
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
  }
}
