import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import { Repeats } from '#platform/idempotency/repeats.ts'
import { MemoryStore } from '#platform/store/memory.ts'

describe('Requests that come twice', () => {
  let now: number
  let store: MemoryStore
  const clock = { now: () => now }
  const key = { org: 'o', id: Buffer.from('key') }
  const request = Buffer.from('a request')

  beforeEach(() => {
    now = 1_000_000
    store = new MemoryStore({ clock })
  })
  afterEach(() => store.close())

  async function claimed(repeats = new Repeats(store, clock)) {
    const known = await repeats.claim(key, request)
    if (known.kind !== 'claimed') throw new Error(`not claimed but ${known.kind}`)
    return known.claim
  }

  it('are done once however many processes take them at a time', async () => {
    for (let round = 0; round < 10; round++) {
      const id = randomBytes(16)
      const processes = Array.from({ length: 4 }, () => new Repeats(store, clock))
      const all = await Promise.all(processes.map((one) => one.claim({ org: 'o', id }, request)))
      const kinds = all.map(({ kind }) => kind)
      expect(
        kinds.filter((kind) => kind === 'claimed'),
        kinds.join(),
      ).to.have.length.at.most(1)
      expect(kinds.filter((kind) => kind !== 'claimed' && kind !== 'running')).to.deep.equal([])
      const after = await new Repeats(store, clock).claim({ org: 'o', id }, request)
      expect(after.kind, 'somebody does it in the end').to.equal(
        kinds.includes('claimed') ? 'running' : 'claimed',
      )
    }
  })

  it('get the same answer, from any process', async () => {
    const one = new Repeats(store, clock)
    await one.finish(await claimed(one), Buffer.from('answer'))
    const known = await new Repeats(store, clock).claim(key, request)
    expect(known).to.deep.equal({ kind: 'done', answer: Buffer.from('answer') })
    expect(await one.claim(key, Buffer.from('another'))).to.deep.equal({ kind: 'other' })
    expect((await one.claim({ ...key, org: 'p' }, request)).kind, "another organisation's").to.equal(
      'claimed',
    )
  })

  it('are not done a second time because the answer was too long to be kept', async () => {
    const repeats = new Repeats(store, clock)
    await repeats.finish(await claimed(repeats), null)
    expect(await repeats.claim(key, request)).to.deep.equal({ kind: 'done', answer: null })
  })

  it('may be tried again when they were refused, or when their process has died', async () => {
    const repeats = new Repeats(store, clock)
    await repeats.release(await claimed(repeats))
    await claimed(repeats)
    expect((await repeats.claim(key, request)).kind).to.equal('running')
    now += 119_999
    expect((await repeats.claim(key, request)).kind).to.equal('running')
    now += 1
    await repeats.finish(await claimed(repeats), Buffer.from('second'))
    expect((await repeats.claim(key, request)).kind).to.equal('done')
  })

  it('are forgotten after a day', async () => {
    const repeats = new Repeats(store, clock)
    await repeats.finish(await claimed(repeats), Buffer.from('answer'))
    now += 86_399_999
    expect((await repeats.claim(key, request)).kind).to.equal('done')
    now += 1
    expect((await repeats.claim(key, Buffer.from('another'))).kind).to.equal('claimed')
  })

  it('done in two datacenters that could not see each other are answered as by the earlier one', async () => {
    const other = new MemoryStore({ clock })
    const [here, there] = [new Repeats(store, clock), new Repeats(other, clock)]
    const first = await claimed(here)
    now += 5
    const second = await claimed(there)
    await there.finish(second, Buffer.from('there'))
    now += 5
    await here.finish(first, Buffer.from('here'))
    // The rows come to both.
    await there.finish(first, Buffer.from('here'))
    await here.finish(second, Buffer.from('there'))
    for (const one of [here, there])
      expect(await one.claim(key, request)).to.deep.equal({ kind: 'done', answer: Buffer.from('here') })
    await other.close()
  })
})
