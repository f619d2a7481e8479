import { statSync } from 'node:fs'
import { join } from 'node:path'
import { open, type RootDatabase } from 'lmdb'
import type { Logger } from '../../log.ts'
import type { KeyRange } from '../key-range.ts'
import { type Chunk, keyEncoder } from './arena.ts'
import { storeErrorOf } from './failures.ts'
import { checkFiles } from './files.ts'

/** Address space set aside for the map. It costs nothing until used; lmdb-js maps anew when the data outgrow it. */
const mapBytes = 16 * 1024 ** 3

/** A put of a part of a chunk, a put of a key and value of their own, or the removal of a key. */
export type Step = ChunkPut | WholePut | Buffer

interface WholePut {
  key: Buffer
  value: Buffer
}

interface ChunkPut {
  chunk: Chunk
  at: number
  keyEnd: number
  valueEnd: number
}

/**
 * LMDB through lmdb-js, with the flags that make a resolved write a durable one:
 *
 * - `overlappingSync: false`: a commit writes the pages, fdatasyncs, then writes the meta page through a descriptor
 *   opened with O_DSYNC, and only then is reported. (With it on, the commit is reported first and an error of the
 *   later meta page write is lost: mdb.c, end of mdb_txn_commit.)
 * - no `useWritemap`: a full disk is an error of a write call, not a SIGBUS.
 * - `eventTurnBatching: false`: a transaction holds what `batch()` holds.
 *
 * After a failed commit the environment is opened anew: after some errors LMDB refuses to go on (MDB_PANIC), and
 * lmdb-js never reports a transaction that could not begin.
 */
export class Environment {
  readonly directory: string
  #database: RootDatabase<Buffer, Buffer> | null
  #reopening: Promise<void> | null = null
  readonly #log: Logger

  /** @throws StoreError */
  constructor(directory: string, log: Logger) {
    this.directory = directory
    this.#log = log
    this.#database = openDatabase(directory)
  }

  /** To be awaited before reads: the environment may be between two lives. */
  get ready(): Promise<void> | null {
    return this.#reopening
  }

  /** The committed value of a key, as a copy. */
  get(key: Buffer): Buffer | undefined {
    return this.#live().get(key)
  }

  /** Calls `visit` with the committed entries of a range until it returns false. Nothing stays open afterwards. */
  visit(range: KeyRange, reverse: boolean, visit: (key: Buffer, value: Buffer) => boolean): void {
    const { start, end } = range
    if (start.compare(end) >= 0) return
    const options = reverse
      ? { start: end, exclusiveStart: true, end: start, inclusiveEnd: true, reverse }
      : { start, end }
    for (const { key, value } of this.#live().getRange(options)) if (!visit(key, value)) return
  }

  /** The committed keys of a range. */
  keys(range: KeyRange): Iterable<Buffer> {
    return this.#live().getKeys({ start: range.start, end: range.end })
  }

  /** Bytes of the file: what is more than `usedBytes` is free for new rows. */
  fileBytes(): number {
    return statSync(join(this.directory, 'data.mdb')).size
  }

  /** Bytes of the pages that hold rows. */
  usedBytes(): number {
    const stats: Record<string, unknown> = { ...this.#live().getStats() }
    const pages = ['treeBranchPageCount', 'treeLeafPageCount', 'overflowPages'].map((name) =>
      Number(stats[name]),
    )
    return pages.reduce((sum, count) => sum + count, 0) * Number(stats.pageSize)
  }

  /**
   * Does the steps in order in one transaction. Resolves when it is on disk; on rejection none of it is there.
   * Only one may be under way.
   *
   * @throws StoreError
   */
  async transact(steps: readonly Step[], bytes: number): Promise<void> {
    const database = this.#live()
    try {
      await database.batch(() => {
        for (const step of steps) issue(database, step)
      })
      await database.flushed
    } catch (error) {
      const cause = await causeOf(error)
      this.#reopening = this.#reopen(database).finally(() => {
        this.#reopening = null
      })
      await this.#reopening
      throw storeErrorOf(cause, 'cannot write to', this.directory, bytes)
    }
  }

  async close(): Promise<void> {
    const database = this.#database
    this.#database = null
    await database?.close()
  }

  #live(): RootDatabase<Buffer, Buffer> {
    // Reopening failed: every call tries again.
    this.#database ??= openDatabase(this.directory)
    return this.#database
  }

  async #reopen(database: RootDatabase<Buffer, Buffer>): Promise<void> {
    this.#database = null
    try {
      await database.close()
      this.#database = openDatabase(this.directory)
    } catch (err) {
      this.#log.error(
        { event: 'store.reopen_failed', err },
        'the store could not be opened again after a failed write',
      )
    }
  }
}

function openDatabase(directory: string): RootDatabase<Buffer, Buffer> {
  checkFiles(directory)
  try {
    return open<Buffer, Buffer>({
      path: directory,
      // A directory, even when its name has a dot.
      noSubdir: false,
      encoding: 'binary',
      keyEncoder,
      compression: false,
      overlappingSync: false,
      eventTurnBatching: false,
      mapSize: mapBytes,
      maxDbs: 1,
    })
  } catch (error) {
    throw storeErrorOf(error, 'cannot open the data in', directory)
  }
}

function issue(database: RootDatabase<Buffer, Buffer>, step: Step): void {
  if ('chunk' in step) {
    const { chunk } = step
    chunk.keyStart = step.at
    chunk.keyEnd = step.keyEnd
    chunk.start = step.keyEnd
    chunk.end = step.valueEnd
    void database.put(chunk, chunk)
  } else if ('value' in step) void database.put(step.key, step.value)
  else void database.remove(step)
}

/** lmdb-js rejects with a general error that carries a promise of the real one. */
async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error
  try {
    await error.commitError
    return error
  } catch (cause) {
    return cause
  }
}
