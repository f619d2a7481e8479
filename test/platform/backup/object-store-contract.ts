import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import type { ObjectStore } from '#platform/backup/object-store.ts'

/** What every storage must do, or a backup that seemed to be there is not. */
export function objectStoreContract(name: string, open: () => Promise<ObjectStore>): void {
  describe(`object store: ${name}`, () => {
    let store: ObjectStore
    before(async () => {
      store = await open()
    })

    it('gives back what was put, byte by byte, also nothing and 9 MB', async () => {
      for (const [n, bytes] of [0, 1, 9_000_000].entries()) {
        const body = randomBytes(bytes)
        await store.put(`sizes/${n}`, body)
        expect((await store.get(`sizes/${n}`))?.equals(body), `${bytes} bytes`).to.equal(true)
      }
    })

    it('has no object that was not put, and none that was deleted', async () => {
      expect(await store.get('nothing/here')).to.equal(undefined)
      await store.put('gone/a', Buffer.from('a'))
      await store.delete('gone/a')
      await store.delete('gone/a')
      expect(await store.get('gone/a')).to.equal(undefined)
      expect(await keys(store, 'gone/')).to.deep.equal([])
    })

    it('the newer of two puts to a key is there', async () => {
      await store.put('twice', Buffer.from('first, and longer'))
      await store.put('twice', Buffer.from('second'))
      expect(String(await store.get('twice'))).to.equal('second')
    })

    it('lists by prefix, over more than one page, with sizes and times', async () => {
      const before = Date.now()
      const wanted = Array.from({ length: 1_050 }, (_, n) => `many/${String(n).padStart(4, '0')}`)
      for (let at = 0; at < wanted.length; at += 50)
        await Promise.all(wanted.slice(at, at + 50).map((key) => store.put(key, Buffer.from(key))))
      await store.put('manyother/1', Buffer.from('x'))
      expect(await keys(store, 'many/')).to.deep.equal(wanted)
      expect(await keys(store, 'many/0099')).to.deep.equal(['many/0099'])
      for await (const { bytes, modified } of store.list('many/0001')) {
        expect(bytes).to.equal(9)
        expect(modified).to.be.within(before - 2_000, Date.now() + 2_000)
      }
    })

    it('of many writers of one key one wins as a whole, and readers never see half', async () => {
      const bodies = Array.from({ length: 8 }, (_, n) => Buffer.alloc(300_000, n + 1))
      let done = false
      const reads = (async () => {
        while (!done) {
          const body = await store.get('contended')
          if (body !== undefined) expect(bodies.some((one) => one.equals(body))).to.equal(true)
        }
      })()
      await Promise.all(bodies.map((body) => store.put('contended', body)))
      done = true
      await reads
    })

    it('refuses keys that lead elsewhere', async () => {
      for (const key of ['', '/a', 'a/', '../a', 'a/../b', '.hidden', 'a//b', 'a b', 'a?b', 'ä']) {
        expect(
          await Promise.resolve()
            .then(() => store.put(key, Buffer.alloc(1)))
            .then(() => 'put', String),
          key,
        ).to.match(/^TypeError: .* is no key/)
      }
    })
  })
}

export async function keys(store: ObjectStore, prefix: string): Promise<string[]> {
  const found: string[] = []
  for await (const { key } of store.list(prefix)) found.push(key)
  return found.toSorted()
}
