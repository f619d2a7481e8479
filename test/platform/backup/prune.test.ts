import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import { readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Lock } from '#platform/backup/lock.ts'
import { prune } from '#platform/backup/prune.ts'
import { verify } from '#platform/backup/verify.ts'
import { temporaryFolder } from '../../scripts/child.ts'
import { Place, wrapped } from './fixture.ts'

const hourMs = 3_600_000
const keep = { hours: 2, days: 1, weeks: 1 }

describe('pruning of backups', () => {
  const folder = temporaryFolder()
  after(folder.remove)
  let n = 0
  const place = (): Place => new Place(join(folder.path, String(n++)))
  const failure = (work: Promise<unknown>): Promise<string> => work.then(() => 'done', String)
  const locks = (at: Place): string[] => readdirSync(join(at.storage, 'locks'))

  it('deletes what no backup names, and nothing that one names', async () => {
    const at = place()
    const repository = await at.init()
    at.write('stays', randomBytes(5_000))
    at.write('goes', randomBytes(5_000))
    await at.backUp(at.store, { taken: Date.now() - 30 * 24 * hourMs })
    at.remove('goes')
    at.write('new', randomBytes(5_000))
    await at.backUp()
    const pruned = await prune(repository, keep)
    expect(pruned).to.deep.include({ kept: 1, deletedChunks: 5 })
    expect(pruned.forgotten.length).to.equal(1)
    expect(at.chunks().length).to.equal(10)
    expect((await verify(repository, { read: true })).damage).to.deep.equal([])
    expect(locks(at)).to.deep.equal([])
  })

  it('leaves all chunks when a backup that is kept cannot be read', async () => {
    const at = place()
    const repository = await at.init()
    at.write('a', randomBytes(5_000))
    const { id } = await at.backUp()
    writeFileSync(join(at.storage, 'manifests', id), 'CQB1 and something else, long enough to be one')
    expect(await failure(prune(repository, keep))).to.match(new RegExp(`manifests/${id} is damaged`))
    expect(at.chunks().length).to.equal(5)
  })

  it('waits for a backup under way, whose chunks no manifest names yet', async () => {
    const at = place()
    const repository = await at.init()
    const writer = await Lock.take(at.store, { kind: 'writer', waitMs: 0 })
    expect(await failure(prune(repository, keep, { waitMs: 0 }))).to.match(
      / writes a backup: try again later$/,
    )
    const waiting = prune(repository, keep, { waitMs: 60_000, retryMs: 10 })
    await writer.release()
    await waiting
  })

  it('keeps backups waiting while it deletes; two of it never run at once; two backups may', async () => {
    const at = place()
    await at.init()
    const sweeper = await Lock.take(at.store, { kind: 'sweeper', waitMs: 0 })
    expect(await failure(at.backUp())).to.match(/ prunes: try again later$/)
    const second = Lock.take(at.store, { kind: 'sweeper', waitMs: 0 })
    expect(await failure(second)).to.match(/ prunes: try again later$/)
    await sweeper.release()
    at.write('a', randomBytes(5_000))
    await Promise.all([at.backUp(), at.backUp(), at.backUp()])
    expect(locks(at)).to.deep.equal([])
  })

  it('of many who start at once never two are let in that exclude each other', async () => {
    const at = place()
    await at.init()
    const inside = { writer: 0, sweeper: 0 }
    let most = 0
    const visit = async (kind: 'writer' | 'sweeper'): Promise<void> => {
      const lock = await Lock.take(at.store, { kind, waitMs: 60_000, retryMs: 5 })
      inside[kind]++
      if (inside.sweeper > 0) most = Math.max(most, inside.sweeper + inside.writer)
      await lock.held()
      inside[kind]--
      await lock.release()
    }
    await Promise.all(Array.from({ length: 12 }, (_, one) => visit(one % 3 === 0 ? 'sweeper' : 'writer')))
    expect(most).to.equal(1)
  })

  it('what a dead process of another host left is waited for, a quarter of an hour at most', async () => {
    const at = place()
    const repository = await at.init()
    await at.store.put('locks/writer-0000000000000000-1-000000000000', Buffer.from('dc01-n1 4711\n'))
    const file = join(at.storage, 'locks', 'writer-0000000000000000-1-000000000000')
    expect(await failure(prune(repository, keep, { waitMs: 0 }))).to.match(/dc01-n1 4711 writes a backup/)
    const old = new Date(Date.now() - 16 * 60_000)
    utimesSync(file, old, old)
    await prune(repository, keep, { waitMs: 0 })
    expect(locks(at)).to.deep.equal([])
  })

  it('a lock that others took for dead is noticed before anything is decided by it', async () => {
    const at = place()
    await at.init()
    const lock = await Lock.take(at.store, { kind: 'sweeper', waitMs: 0 })
    for (const name of locks(at)) await at.store.delete(`locks/${name}`)
    expect(await failure(lock.held())).to.match(/stood still for too long/)
    await lock.release()
  })

  it('nothing is done by a clock that is wrong', async () => {
    const at = place()
    await at.init()
    const wrong = wrapped(at.store, {
      async *list(prefix) {
        for await (const one of at.store.list(prefix)) yield { ...one, modified: one.modified - 3 * hourMs }
      },
    })
    expect(await failure(Lock.take(wrong, { kind: 'writer', waitMs: 0 }))).to.match(
      /its clock and ours differ by 180 minutes: set the clock/,
    )
    expect(locks(at)).to.deep.equal([])
  })
})
