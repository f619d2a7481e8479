import { expect } from 'chai'
import type { Clock } from '#platform/clock.ts'
import { Batch, type Store, StoreError } from '#platform/store/store.ts'
import type { AnyTable, RowOf } from '#platform/store/table.ts'
import { orderContract } from './contract-order.ts'
import { writeContract } from './contract-write.ts'
import { modelContract } from './model.ts'
import { every, single } from './tables.ts'

/** An engine under the contract. Engines with servers start them once and give every test empty tables. */
export interface Engine {
  readonly name: string
  /**
   * Whether calls take effect in the order in which they are made, also when the one before has not resolved yet.
   * Where they do not, it is not the later of two rows with one stamp that wins, but one of them.
   */
  readonly ordered: boolean
  /** Whether rows grow old by the clock given to `open`; an engine with a clock of its own has tests of its own. */
  readonly clocked: boolean
  /** An empty store on the given clock, and what removes it. */
  open(clock: Clock): Promise<{ store: Store; remove: () => Promise<void> }>
}

export class TestClock implements Clock {
  time = Date.UTC(2026, 0, 1)

  now(): number {
    return this.time
  }
}

/** What each test of the contract works on: a fresh store. */
export interface Subject {
  store: Store
  clock: TestClock
  readonly ordered: boolean
  readonly clocked: boolean
}

export async function put<T extends AnyTable>(store: Store, table: T, ...rows: RowOf<T>[]): Promise<void> {
  const batch = new Batch()
  for (const row of rows) batch.put(table, row)
  await store.write(batch)
}

/** Rows in a form that compares by content: bytes as hex. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString('hex')}`
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]))
  }
  return value
}

/** The StoreError that the promise rejects with. */
export async function storeError(promise: Promise<unknown>): Promise<StoreError> {
  const outcome: unknown = await promise.then(
    () => 'resolved',
    (error: unknown) => error,
  )
  if (outcome instanceof StoreError) return outcome
  throw new Error(`expected a StoreError, got ${String(outcome)}`)
}

const key = { org: 'acme', log: Buffer.from([0, 1, 2, 255]), day: -3, writer: Buffer.from('w'), seq: 7 }

/** The contract of `Store`: what every engine gives. Called inside no other describe. */
export function storeContract(engine: Engine): void {
  describe(`store contract: ${engine.name}`, () => {
    const { ordered, clocked } = engine
    const subject: Subject = { store: undefined as never, clock: new TestClock(), ordered, clocked }
    let remove: () => Promise<void>

    beforeEach(async () => {
      subject.clock = new TestClock()
      const opened = await engine.open(subject.clock)
      subject.store = opened.store
      remove = opened.remove
    })

    afterEach(async () => {
      await subject.store.close()
      await remove()
    })

    describe('rows', () => {
      it('come back as they were written, every type and its extremes', async () => {
        const rows = [
          {
            text: '',
            bytes: Buffer.alloc(0),
            small: 0,
            large: 0,
            ratio: 0,
            flag: false,
            eighth: 'e',
            ninth: 9,
          },
          {
            text: 'żółć 🚀\0\u0001',
            bytes: Buffer.from([0, 1, 255]),
            small: -(2 ** 31),
            large: -(2 ** 53) + 1,
          },
          { small: 2 ** 31 - 1, large: 2 ** 53 - 1, ratio: -1.5e300, flag: true },
          { ratio: Number.POSITIVE_INFINITY },
          { ratio: Number.NaN, ninth: -1 },
          { text: 'x'.repeat(100_000), bytes: Buffer.alloc(300_000, 7), eighth: 'after the large ones' },
        ].map((columns, seq) => ({ ...key, seq, ...columns }))
        await put(subject.store, every, ...rows)
        for (const row of rows) {
          expect(plain(await subject.store.get(every, row))).to.deep.equal(plain(row))
        }
        expect(plain(await subject.store.range(every, key, { limit: 10 }))).to.deep.equal(plain(rows))
      })

      it('without a column that was left out, also when the row before had it', async () => {
        await put(subject.store, every, { ...key, text: 'one', ninth: 9 })
        await put(subject.store, every, { ...key, text: undefined, small: 2 })
        expect(plain(await subject.store.get(every, key))).to.deep.equal(plain({ ...key, small: 2 }))
      })

      it('without any column', async () => {
        await put(subject.store, every, key)
        expect(plain(await subject.store.get(every, key))).to.deep.equal(plain(key))
      })

      it('are told apart by every part of their key', async () => {
        const others = [
          { ...key, org: 'acm' },
          { ...key, org: 'acme2' },
          { ...key, log: Buffer.from([0, 1, 2]) },
          { ...key, log: Buffer.from([0, 1, 2, 255, 0]) },
          { ...key, day: 3 },
          { ...key, writer: Buffer.from('w\0') },
          { ...key, seq: 8 },
        ]
        await put(
          subject.store,
          every,
          { ...key, text: 'this' },
          ...others.map((other) => ({ ...other, text: 'other' })),
        )
        expect((await subject.store.get(every, key))?.text).to.equal('this')
        expect(await subject.store.get(every, { ...key, org: 'acme', seq: 9 })).to.equal(undefined)
        expect(await subject.store.range(every, key, { limit: 10 })).to.have.length(3)
      })

      it('are told apart by their table', async () => {
        await put(subject.store, single, { id: 'acme', value: 'single' })
        expect(await subject.store.get(single, { id: 'acm' })).to.equal(undefined)
        expect((await subject.store.get(single, { id: 'acme' }))?.value).to.equal('single')
        expect(await subject.store.range(every, key, { limit: 10 })).to.deep.equal([])
      })

      it('do not change when the caller reuses his buffers, or writes into what he read', async () => {
        const bytes = Buffer.from('before')
        const log = Buffer.from('log')
        await put(subject.store, every, { ...key, log, bytes })
        bytes.fill(0)
        log.fill(0)
        const read = await subject.store.get(every, { ...key, log: Buffer.from('log') })
        expect(Buffer.from(read?.bytes ?? []).toString()).to.equal('before')
        read?.bytes?.fill(0)
        read?.log.fill(0)
        const [again] = await subject.store.range(every, { ...key, log: Buffer.from('log') }, { limit: 1 })
        expect(Buffer.from(again.bytes ?? []).toString()).to.equal('before')
        expect(Buffer.from(again.log).toString()).to.equal('log')
      })
    })

    describe('bad input', () => {
      it('is refused with the name of the column, before it can spoil the batch of others', () => {
        const bad: [() => void, RegExp][] = [
          [
            () => new Batch().put(every, { ...key, org: 7 as never }),
            /test_every\.org: expected a string, got 7/,
          ],
          [
            () => new Batch().put(every, { ...key, log: 'x' as never }),
            /test_every\.log: expected bytes, got string/,
          ],
          [
            () => new Batch().put(every, { ...key, day: 1.5 }),
            /test_every\.day: expected a 32-bit integer, got 1.5/,
          ],
          [
            () => new Batch().put(every, { ...key, seq: 2 ** 53 }),
            /test_every\.seq: expected a safe integer/,
          ],
          [
            () => new Batch().put(every, { ...key, small: 2 ** 31 }),
            /test_every\.small: expected a 32-bit integer/,
          ],
          [
            () => new Batch().put(every, { ...key, flag: null as never }),
            /test_every\.flag: expected a boolean, got null/,
          ],
          [
            () => new Batch().put(every, { ...key, org: '\ud800' }),
            /test_every\.org: not well-formed Unicode/,
          ],
          [
            () => new Batch().put(every, { ...key, org: 'x'.repeat(2000) }),
            /test_every\.\w+: the key would be longer/,
          ],
          [
            () => new Batch().delete(every, { ...key, writer: undefined as never }),
            /test_every\.writer: expected bytes/,
          ],
          [
            () => new Batch().deletePartition(every, { ...key, day: '1' as never }),
            /test_every\.day: expected/,
          ],
          [() => new Batch().discard(every, key, { ...key, seq: Number.NaN }), /test_every\.seq: expected/],
        ]
        for (const [act, message] of bad) expect(act).to.throw(message)
      })

      it('is refused by reads too', async () => {
        const { store } = subject
        expect(await rejection(store.get(every, { ...key, org: 'x'.repeat(2000) }))).to.match(
          /test_every\.\w+: the key/,
        )
        const bound = { after: { seq: 3 }, limit: 1 }
        expect(await rejection(store.range(every, key, bound))).to.match(
          /test_every\.seq: a bound needs .*\(writer\)/,
        )
      })

      it('a key may have 1,900 bytes', async () => {
        const long = { ...key, org: 'x'.repeat(1800), log: Buffer.alloc(50, 7) }
        await put(subject.store, every, { ...long, text: 'kept' })
        expect((await subject.store.get(every, long))?.text).to.equal('kept')
      })
    })

    orderContract(subject)
    writeContract(subject)
    modelContract(subject)

    describe('a closed store', () => {
      it('refuses every call, and has finished what was under way', async () => {
        const { store } = subject
        const write = put(store, single, { id: 'a' })
        const closing = store.close()
        await write
        await closing
        const calls = [
          store.get(single, { id: 'a' }),
          store.range(single, { id: 'a' }, { limit: 1 }),
          store.scan(single, null, 1),
          store.putIf(single, { id: 'a' }, 'value', undefined),
          put(store, single, { id: 'b' }),
        ]
        for (const call of calls) expect((await storeError(call)).code).to.equal('closed')
      })
    })
  })
}

function rejection(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'resolved',
    (error: unknown) => String(error),
  )
}
