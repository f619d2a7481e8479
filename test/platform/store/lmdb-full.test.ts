import { expect } from 'chai'
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Batch } from '#platform/store/store.ts'
import type { LmdbStore } from '#platform/store/lmdb/lmdb-store.ts'
import { put, storeError } from './contract.ts'
import { LmdbFixture } from './lmdb-fixture.ts'
import { single } from './tables.ts'

const limit = 2 * 1024 * 1024
/** What LMDB leaves free comes on top. */
const diskBytes = 12 * 1024 * 1024
const value = 'x'.repeat(1_000)

/** Something that makes a store run out of space. */
interface Tightness {
  name: string
  open(fixture: LmdbFixture): Promise<LmdbStore>
  done(): void
}

const byLimit: Tightness = {
  name: 'by its own limit',
  open: (fixture) => fixture.open(fixture.directory(), { maxBytes: limit }),
  done: () => undefined,
}

/** A file system in memory of a few megabytes, where this process may mount one. */
class SmallDisk implements Tightness {
  name = 'because the disk is full'
  #directory = ''

  open(fixture: LmdbFixture): Promise<LmdbStore> {
    return fixture.open(join(this.mount(fixture), 'data'))
  }

  mount(fixture: LmdbFixture): string {
    this.#directory = fixture.directory()
    execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'tmpfs', this.#directory], {
      stdio: 'ignore',
    })
    return this.#directory
  }

  path(name: string): string {
    return join(this.#directory, name)
  }

  remount(options: string): void {
    execFileSync('/bin/mount', ['-o', `remount,${options}`, this.#directory], { stdio: 'ignore' })
  }

  done(): void {
    if (this.#directory !== '') execFileSync('/bin/umount', ['-l', this.#directory], { stdio: 'ignore' })
    this.#directory = ''
  }
}

const smallDisk = new SmallDisk()
const mayMount = canMount()
const tightnesses: Tightness[] = mayMount ? [byLimit, smallDisk] : [byLimit]

describe('a full store', () => {
  const fixture = new LmdbFixture()

  for (const tightness of tightnesses) {
    describe(tightness.name, () => {
      let store: LmdbStore
      let kept: string[]

      /** Writes until no more fits; what was acknowledged is in `kept`. */
      async function fill(rowsPerBatch: number): Promise<void> {
        for (;;) {
          const ids = Array.from({ length: rowsPerBatch }, (_, n) => `${kept.length + n}`)
          const rows = ids.map((id) => ({ id, value }))
          const code = await put(store, single, ...rows).then(
            () => '',
            (error: { code: string }) => error.code,
          )
          if (code !== '') {
            expect(code).to.equal('full')
            return
          }
          kept.push(...ids)
        }
      }

      async function expectKept(): Promise<void> {
        const found: string[] = []
        let cursor: string | null = null
        do {
          const page: { rows: { id: string }[]; cursor: string | null } = await store.scan(
            single,
            cursor,
            500,
          )
          found.push(...page.rows.map(({ id }) => id))
          cursor = page.cursor
        } while (cursor !== null)
        expect(found.toSorted()).to.deep.equal(kept.toSorted())
      }

      beforeEach(async () => {
        kept = []
        store = await tightness.open(fixture)
      })

      afterEach(async () => {
        tightness.done()
        await fixture.clean()
      })

      it('acknowledges nothing, keeps what it acknowledged, does nothing by half', async () => {
        await fill(50)
        expect(kept.length).to.be.above(500)
        const batch = new Batch()
        batch.put(single, { id: '0', value: 'changed' })
        for (let n = 0; n < 12_000; n++) batch.put(single, { id: `more ${n}`, value })
        const failed = await storeError(store.write(batch))
        expect(failed.code).to.equal('full')
        expect(failed.message).to.not.include('\n')
        expect((await store.get(single, { id: '0' }))?.value).to.equal(value)
        const claim = store.putIf(single, { id: 'claim', value: value.repeat(12_000) }, 'value', undefined)
        expect((await storeError(claim)).code).to.equal('full')
        await expectKept()
      })

      it('writes again when rows were removed', async () => {
        await fill(50)
        kept.sort()
        while (kept.length > 300) {
          const batch = new Batch()
          for (const id of kept.splice(300, 100)) batch.delete(single, { id })
          await store.write(batch)
        }
        await put(store, single, { id: 'again', value })
        kept.push('again')
        await expectKept()
      })

      it('fails the batch of one without failing those that fit, and closes', async () => {
        const large = put(
          store,
          single,
          ...Array.from({ length: 12_000 }, (_, n) => ({ id: `large ${n}`, value })),
        )
        expect((await storeError(large)).code).to.equal('full')
        await put(store, single, { id: 'small', value })
        kept.push('small')
        await expectKept()
        await fill(10)
        await store.close()
      })
    })
  }

  if (mayMount) {
    describe('on a disk of its own', () => {
      afterEach(async () => {
        smallDisk.done()
        await fixture.clean()
      })

      it('writes again when others make room, and has all of it after a restart', async () => {
        const store = await smallDisk.open(fixture)
        await put(store, single, { id: 'before', value })
        writeFileSync(smallDisk.path('other'), Buffer.alloc(diskBytes - 4 * 1024 * 1024))
        const rows = (name: string): { id: string; value: string }[] =>
          Array.from({ length: 1_000 }, (_, n) => ({ id: `${name} ${n}`, value }))
        for (let attempt = 0; attempt < 5; attempt++) {
          expect((await storeError(put(store, single, ...rows('first')))).code).to.equal('full')
        }
        expect((await store.get(single, { id: 'before' }))?.value).to.equal(value)
        unlinkSync(smallDisk.path('other'))
        await put(store, single, ...rows('second'))
        await store.close()
        const again = await fixture.open(smallDisk.path('data'))
        expect((await again.get(single, { id: 'before' }))?.value).to.equal(value)
        expect((await again.get(single, { id: 'second 999' }))?.value).to.equal(value)
        expect(await again.get(single, { id: 'first 0' })).to.equal(undefined)
      })

      it('survives that the disk becomes full in the middle of a transaction', async () => {
        const store = await smallDisk.open(fixture)
        // Three rows a page: a small change of each page copies half of the disk.
        const ids = Array.from({ length: 4_500 }, (_, n) => String(n))
        for (let n = 0; n < ids.length; n += 100) {
          await put(store, single, ...ids.slice(n, n + 100).map((id) => ({ id, value: value.slice(0, 900) })))
        }
        writeFileSync(smallDisk.path('other'), Buffer.alloc(1024 * 1024))
        const change = new Batch()
        for (const id of ids) change.put(single, { id, value: 'short' })
        expect((await storeError(store.write(change))).code).to.equal('full')
        for (const id of ['0', '2250', '4499']) {
          expect((await store.get(single, { id }))?.value).to.equal(value.slice(0, 900))
        }
        rmSync(smallDisk.path('other'))
        await put(store, single, { id: '0', value: 'changed' })
        await store.close()
        const again = await fixture.open(smallDisk.path('data'))
        expect((await again.get(single, { id: '0' }))?.value).to.equal('changed')
        expect((await again.get(single, { id: '4499' }))?.value).to.equal(value.slice(0, 900))
      })

      it('is opened and read while the disk is full, and not begun on it', async () => {
        const store = await smallDisk.open(fixture)
        await put(store, single, { id: 'before', value })
        await store.close()
        fillDisk(smallDisk.path('other'))
        const again = await fixture.open(smallDisk.path('data'))
        expect((await again.get(single, { id: 'before' }))?.value).to.equal(value)
        const error = await storeError(fixture.open(smallDisk.path('fresh')))
        expect(error.code).to.equal('full')
        rmSync(smallDisk.path('other'))
        await put(again, single, { id: 'after', value })
      })

      it('is refused when the disk is read-only, by one clear line', async () => {
        const store = await smallDisk.open(fixture)
        await store.close()
        smallDisk.remount('ro')
        for (const path of ['data', 'fresh']) {
          const error = await storeError(fixture.open(smallDisk.path(path)))
          expect(error.code).to.equal('readonly')
          expect(error.message).to.include(smallDisk.path(path))
        }
        smallDisk.remount('rw')
        await put(await fixture.open(smallDisk.path('data')), single, { id: 'a' })
      })
    })
  }
})

function fillDisk(path: string): void {
  let bytes = diskBytes
  while (bytes >= 4_096) {
    try {
      writeFileSync(path, Buffer.alloc(bytes), { flag: 'a' })
    } catch {
      bytes = Math.floor(bytes / 2)
    }
  }
}

/** Whether this process may mount a file system (root on Linux, outside most containers). */
function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  const fixture = new LmdbFixture()
  try {
    const disk = new SmallDisk()
    mkdirSync(join(disk.mount(fixture), 'data'))
    disk.done()
    return true
  } catch {
    return false
  } finally {
    void fixture.clean()
  }
}
