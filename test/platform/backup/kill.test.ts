import { expect } from 'chai'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { backupEmbedded, restoreEmbedded } from '#platform/backup/embedded.ts'
import { fingerprintOf } from '#platform/backup/fingerprint.ts'
import { prune } from '#platform/backup/prune.ts'
import type { Repository } from '#platform/backup/repository.ts'
import { verify } from '#platform/backup/verify.ts'
import { Batch } from '#platform/store/store.ts'
import { retained } from '#platform/store/tables.ts'
import { everyTable } from '#platform/tables.ts'
import { temporaryFolder } from '../../scripts/child.ts'
import { LmdbFixture, silent } from '../store/lmdb-fixture.ts'
import { Place } from './fixture.ts'

const child = fileURLToPath(new URL('killed-child.ts', import.meta.url))

/** kill -9 at every call of the storage: what is listed can be restored, and running again is all that it takes. */
describe('backups that are killed', function () {
  this.timeout(120_000)
  const folder = temporaryFolder()
  const fixture = new LmdbFixture()
  const place = new Place(folder.path)
  let repository: Repository
  const data = join(folder.path, 'data')
  let round = 0

  before(async () => {
    repository = await place.init()
    await addRows()
  })
  after(async () => {
    await fixture.clean()
    folder.remove()
  })

  async function addRows(): Promise<void> {
    const store = await fixture.open(data)
    const batch = new Batch()
    round++
    for (let n = 0; n < 2_000; n++) {
      const topic_hash = Buffer.from(`${round} ${n}`)
      batch.put(retained, {
        org: 'o',
        bucket: n % 256,
        topic_hash,
        topic: 't',
        message: Buffer.alloc(200, n),
        stamp: n,
      })
    }
    await store.write(batch)
    await store.close()
  }

  /** Whether it was killed at that call. */
  function kill(work: string, at: number): boolean {
    const { signal, status, stderr } = spawnSync(process.execPath, [child, work, folder.path, String(at)])
    if (signal === 'SIGKILL') return true
    expect(status, String(stderr)).to.equal(0)
    return false
  }

  async function restorable(): Promise<void> {
    expect((await verify(repository, { read: true })).damage).to.deep.equal([])
    const backups = await repository.backups()
    const manifest = backups.length === 0 ? undefined : await repository.newest()
    if (manifest === undefined) return
    const out = join(folder.path, 'check')
    await restoreEmbedded(repository, manifest, out)
    const store = await fixture.open(out)
    const noted = manifest.tables.find(({ name }) => name === 'retained')?.noted
    expect(await fingerprintOf(store, retained)).to.deep.equal(noted)
    await store.close()
    rmSync(out, { recursive: true })
  }

  it('at any call of a backup: each listed one is whole, and the next run is a good one', async () => {
    let killed = 0
    for (let at = 1; kill('backup', at); at++) {
      killed++
      await restorable()
      if (at % 4 === 0) await addRows()
    }
    expect(killed).to.be.above(4)
    const scratch = join(folder.path, 'scratch')
    mkdirSync(scratch)
    const options = { directory: data, scratch, tables: everyTable, note: true, files: [], source: 'test' }
    await backupEmbedded({ repository, ...options, log: silent, waitMs: 0 })
    await restorable()
  })

  it('at any call of a restore: there are no data, or all', async () => {
    const out = join(folder.path, 'out')
    let killed = 0
    for (let at = 1; kill('restore', at); at++) {
      killed++
      expect(existsSync(join(out, 'data.mdb'))).to.equal(false)
    }
    expect(killed).to.be.above(2)
    const { tables } = await repository.newest()
    const store = await fixture.open(out)
    expect(await fingerprintOf(store, retained)).to.deep.equal(
      tables.find(({ name }) => name === 'retained')?.noted,
    )
    expect(kill('backup', 1_000_000)).to.equal(false)
  })

  it('at any call of a prune: all that is listed can be restored, and what is left over goes later', async () => {
    for (let at = 1; kill('prune', at); at += at < 4 ? 1 : 13) await restorable()
    const { kept } = await prune(repository, { hours: 1, days: 1, weeks: 1 }, { waitMs: 0 })
    expect(kept).to.equal((await repository.backups()).length)
    await restorable()
  })
})
