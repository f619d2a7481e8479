import { expect } from 'chai'
import { MemoryStore } from '#platform/store/memory.ts'
import { Batch } from '#platform/store/store.ts'
import { put, storeContract, storeError, TestClock } from './contract.ts'
import { fading, single } from './tables.ts'

storeContract({
  name: 'memory',
  ordered: true,
  clocked: true,
  open: async (clock) => ({ store: new MemoryStore({ clock }), remove: async () => undefined }),
})

describe('memory store', () => {
  it('refuses what is beyond its limit, keeps what it had, and writes again when there is room', async () => {
    const store = new MemoryStore({ maxBytes: 10_000 })
    await put(store, single, { id: 'kept', value: 'x'.repeat(4_000) })
    const { bytes } = store
    const batch = new Batch()
    batch.put(single, { id: 'kept', value: 'changed' })
    batch.put(single, { id: 'more', value: 'y'.repeat(20_000) })
    expect((await storeError(store.write(batch))).code).to.equal('full')
    expect(store.bytes).to.equal(bytes)
    expect((await store.get(single, { id: 'kept' }))?.value).to.equal('x'.repeat(4_000))
    expect(await store.get(single, { id: 'more' })).to.equal(undefined)
    const claim = store.putIf(single, { id: 'more', value: 'y'.repeat(20_000) }, 'value', undefined)
    expect((await storeError(claim)).code).to.equal('full')
    expect(await store.get(single, { id: 'more' })).to.equal(undefined)
    const room = new Batch()
    room.delete(single, { id: 'kept' })
    await store.write(room)
    await put(store, single, { id: 'more', value: 'y'.repeat(9_000) })
    expect((await store.get(single, { id: 'more' }))?.value).to.have.length(9_000)
  })

  it('gives the memory of expired rows back as others are written', async () => {
    const clock = new TestClock()
    const store = new MemoryStore({ clock })
    const rows = (org: string) =>
      Array.from({ length: 1_000 }, (_, n) => ({ org, n, value: 'x'.repeat(100) }))
    await put(store, fading, ...rows('old'))
    const { bytes } = store
    for (const org of 'abcdefghij') {
      clock.time += 3 * 86_400_000
      await put(store, fading, ...rows(org))
    }
    expect(store.bytes).to.be.below(bytes * 6)
  })
})
