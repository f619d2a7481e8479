import { expect } from 'chai'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { copyOrganisation, copyRows, isEmpty } from '#platform/backup/copy-rows.ts'
import { backupEmbedded, restoreEmbedded } from '#platform/backup/embedded.ts'
import { fingerprintOf } from '#platform/backup/fingerprint.ts'
import type { Manifest } from '#platform/backup/manifest.ts'
import type { Repository } from '#platform/backup/repository.ts'
import { Batch, type Store } from '#platform/store/store.ts'
import { credential, device, organisation } from '#platform/registry/tables.ts'
import { inbox } from '#platform/store/tables.ts'
import { everyTable } from '#platform/tables.ts'
import { telemetry } from '#platform/telemetry/tables.ts'
import { Child, root, temporaryFolder } from '../../scripts/child.ts'
import { LmdbFixture, silent } from '../store/lmdb-fixture.ts'
import { Place } from './fixture.ts'

const day = Math.floor(Date.now() / 86_400_000)

describe('backup of the embedded store', () => {
  const folder = temporaryFolder()
  const fixture = new LmdbFixture()
  const place = new Place(folder.path)
  const directory = join(folder.path, 'data')
  let repository: Repository
  let store: Store

  before(async () => {
    repository = await place.init()
    store = await fixture.open(directory)
    const batch = new Batch()
    for (const org of ['a', 'b']) {
      batch.put(organisation, { id: org, name: org, created_at: 1, version: 1 })
      batch.put(credential, { hash: Buffer.from(`key of ${org}`), kind: 'device', org, device: 'd1' })
      for (let n = 0; n < 300; n++) {
        batch.put(device, { org, id: `d${n}`, name: `device ${n}`, version: n })
        batch.put(telemetry, { org, device: `d${n}`, day, key: 'k', ts: n, n: 0, number: n / 3 })
      }
      batch.put(inbox, { org, log: Buffer.from('l'), day, writer: Buffer.from('w'), seq: 1 })
    }
    await store.write(batch)
  })
  after(async () => {
    await fixture.clean()
    folder.remove()
  })

  let scratches = 0
  function backUp(from = directory, note = true): Promise<Manifest> {
    const scratch = join(folder.path, `scratch-${scratches++}`)
    mkdirSync(scratch)
    const options = { directory: from, scratch, tables: everyTable, note, files: [], source: 'test' }
    return backupEmbedded({ repository, ...options, log: silent, waitMs: 0 })
  }
  const failure = (work: Promise<unknown>): Promise<string> => work.then(() => 'done', String)

  it('is restored with all rows, each as it was', async () => {
    const manifest = await backUp()
    const into = join(folder.path, 'all')
    await restoreEmbedded(repository, manifest, into)
    const restored = await fixture.open(into)
    for (const table of everyTable) {
      const noted = manifest.tables.find(({ name }) => name === table.name)?.noted
      expect(await fingerprintOf(restored, table), table.name).to.deep.equal(noted)
      expect(await fingerprintOf(store, table), table.name).to.deep.equal(noted)
    }
    expect((await fingerprintOf(restored, device)).rows).to.equal(600)
  })

  it('one row more, less or other is another fingerprint', async () => {
    const other = await fixture.open(join(folder.path, 'fingerprints'))
    await copyRows(store, other, device)
    const before = await fingerprintOf(store, device)
    expect(await fingerprintOf(other, device)).to.deep.equal(before)
    const batch = new Batch()
    batch.put(device, { org: 'a', id: 'd7', name: 'another name', version: 7 })
    await other.write(batch)
    expect((await fingerprintOf(other, device)).rows).to.equal(before.rows)
    expect((await fingerprintOf(other, device)).hash).to.not.equal(before.hash)
  })

  it('is taken while a process writes, as of one moment', async () => {
    const busy = join(folder.path, 'busy')
    const writer = new Child(process.execPath, [join(root, 'test/platform/backup/busy-child.ts'), busy])
    try {
      await writer.said(/writing/)
      for (let round = 1; round <= 3; round++) {
        const manifest = await backUp(busy)
        const into = join(folder.path, `busy-${round}`)
        await restoreEmbedded(repository, manifest, into)
        const restored = await fixture.open(into)
        const { rows } = await fingerprintOf(restored, inbox)
        // The writer's batches are of a hundred rows, each all or nothing.
        expect(rows % 100).to.equal(0)
        expect(rows).to.be.above(0)
      }
    } finally {
      await writer.end('SIGKILL')
    }
  })

  it('is not restored over data, and refuses what is none', async () => {
    const manifest = await backUp(directory, false)
    expect(await failure(restoreEmbedded(repository, manifest, directory))).to.match(
      /has data already: nothing was changed/,
    )
    expect(await failure(backUp(join(folder.path, 'nothing')))).to.match(
      /nothing has no data of the embedded store/,
    )
  })

  it('ships little when little has changed', async () => {
    const { shippedBytes } = await backUp()
    const batch = new Batch()
    batch.put(device, { org: 'a', id: 'd1', name: 'renamed', version: 2 })
    await store.write(batch)
    const again = await backUp()
    expect(again.shippedBytes).to.be.below(1_100_000)
    expect(shippedBytes).to.be.below(1_100_000)
  })

  it('gives back one organisation, without what was on its way then, and only where it is not', async () => {
    await restoreEmbedded(repository, await backUp(), join(folder.path, 'source'))
    const source = await fixture.open(join(folder.path, 'source'))
    const target = await fixture.open(join(folder.path, 'target'))
    const counts = await copyOrganisation(source, target, everyTable, 'a')
    expect(counts).to.deep.equal({ organisation: 1, credential: 1, device: 300, telemetry: 300 })
    expect(await target.get(device, { org: 'a', id: 'd1' })).to.deep.include({ name: 'renamed' })
    expect(await target.get(organisation, { id: 'b' })).to.equal(undefined)
    expect(await isEmpty(target, inbox)).to.equal(true)
    expect(await failure(copyOrganisation(source, target, everyTable, 'a'))).to.match(
      /there is an organisation a already: nothing was changed/,
    )
    expect(await failure(copyOrganisation(source, target, everyTable, 'c'))).to.match(
      /the backup has no organisation c$/,
    )
  })
})
