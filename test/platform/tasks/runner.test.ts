import { expect } from 'chai'
import { Metrics } from '#platform/metrics.ts'
import { importDevices } from '#platform/registry/bulk.ts'
import { StoreError } from '#platform/store/store.ts'
import { TaskRunner } from '#platform/tasks/runner.ts'
import type { ItemResult, Task, TaskKind } from '#platform/tasks/task.ts'
import { isOver } from '#platform/tasks/task.ts'
import { Tasks } from '#platform/tasks/tasks.ts'
import { type Timers, systemTimers } from '#platform/timers.ts'
import { type Opened, RegistryFixture, silent } from '../registry/fixture.ts'

/** Timers that are due at once, so that nothing is waited for; what repeats never comes. */
const atOnce: Timers = {
  ...systemTimers,
  after: (_ms, then) => {
    setImmediate(then)
    return { cancel: () => undefined }
  },
  every: () => ({ cancel: () => undefined }),
}

describe('tasks', () => {
  let fixture: RegistryFixture
  let registry: Opened['registry']

  beforeEach(async () => {
    fixture = new RegistryFixture()
    ;({ registry } = fixture.open())
    await registry.organisations.create({ id: 'acme' })
  })

  /** A process. */
  function open(kinds: readonly TaskKind[]): { tasks: Tasks; runner: TaskRunner } {
    const { store, clock } = fixture
    const tasks = new Tasks(store, clock)
    const parts = { clock, log: silent, metrics: new Metrics(), timers: atOnce }
    return { tasks, runner: new TaskRunner(tasks, kinds, parts) }
  }

  async function filled(tasks: Tasks, lots: readonly (readonly unknown[])[], kind: string): Promise<Task> {
    const spec = { mode: 'create', keys: 'generate', dryRun: false }
    const made = await tasks.create('acme', { kind, spec, actor: 'me', secret: true })
    for (const [part, items] of lots.entries()) await tasks.addInput(made, part, items)
    const counts = { total: lots.flat().length, succeeded: 0, failed: 0, skipped: 0 }
    return tasks.save(made, { state: 'queued', parts: lots.length, counts })
  }

  async function ended(tasks: Tasks, { id }: Task): Promise<Task> {
    for (;;) {
      const now = await tasks.get('acme', id)
      if (isOver(now)) return now
      await new Promise((turn) => setImmediate(turn))
    }
  }

  const ok: ItemResult = { status: 'done', counts: 'succeeded' }
  const counting = (done: unknown[]): TaskKind => ({
    name: 'count',
    run: async (_task, items) => {
      done.push(...items)
      return items.map(() => ok)
    },
  })

  it('are gone on with by another process where the first one died, not sooner than its lease ends', async () => {
    const done: unknown[] = []
    const dying: TaskKind = {
      name: 'count',
      run: async (_task, items) => {
        if (items.includes(3)) return new Promise<never>(() => undefined)
        done.push(...items)
        return items.map(() => ok)
      },
    }
    const first = open([dying])
    const task = await filled(first.tasks, [[1, 2], [3, 4], [5]], 'count')
    first.runner.add(task)
    while ((await first.tasks.get('acme', task.id)).partsDone < 1)
      await new Promise((turn) => setImmediate(turn))
    const second = open([counting(done)])
    await second.runner.look()
    expect((await second.tasks.get('acme', task.id)).partsDone).to.equal(1)
    fixture.clock.time += 31_000
    await second.runner.look()
    const over = await ended(second.tasks, task)
    expect(over).to.include({ state: 'completed', partsDone: 3 })
    expect(over.counts).to.deep.equal({ total: 5, succeeded: 5, failed: 0, skipped: 0 })
    expect(done).to.deep.equal([1, 2, 3, 4, 5])
    const results = []
    for await (const lot of second.tasks.results(task)) results.push(...lot)
    expect(results.map(({ item }) => item)).to.deep.equal([1, 2, 3, 4, 5])
    expect(await second.tasks.abandoned(10), 'it is not looked for any more').to.deep.equal([])
  })

  it('an import that is done again after a crash makes no device twice and keeps the keys', async () => {
    const rows = ['a', 'b', 'c'].map((name) => ({ row: { name } }))
    const kind = importDevices(registry)
    const first = open([kind])
    const task = await filled(first.tasks, [rows], 'import')
    const secret = await first.tasks.secret(task)
    // All was made, and the process died before it could say so.
    const lost = await kind.run(task, rows, 1, secret)
    expect(lost.map(({ status }) => status)).to.deep.equal(['created', 'created', 'created'])
    const before = await registry.devices.get('acme', 'a')
    fixture.clock.time += 60_000
    await registry.devices.update('acme', 'a', { labels: { by: 'hand' } })
    const second = open([kind])
    await second.runner.look()
    expect((await ended(second.tasks, task)).counts).to.include({ succeeded: 3, failed: 0 })
    const { devices } = await registry.devices.list('acme', { limit: 9 })
    expect(devices.map(({ name }) => name)).to.deep.equal(['a', 'b', 'c'])
    for await (const lot of second.tasks.results(task)) {
      for (const result of lot) {
        const shown = kind.reveal?.(result, Number(result.item), secret ?? new Uint8Array())
        expect((await registry.findKey(String(shown?.key)))?.kind).to.equal('device')
      }
    }
    expect((await registry.devices.get('acme', 'a')).id).to.equal(before.id)
    const listed = await fixture.open().index.search('acme', { prefix: 'a' }, { limit: 1 })
    expect(listed.devices[0].labels, 'the list has what came last').to.deep.equal({ by: 'hand' })
  })

  it('wait while the store is away, and lose nothing', async () => {
    let away = 3
    const done: unknown[] = []
    const counted = counting(done)
    const shaky: TaskKind = {
      name: 'count',
      run: async (...given) => {
        if (away-- > 0) throw new StoreError('unavailable', 'away')
        return counted.run(...given)
      },
    }
    const { tasks, runner } = open([shaky])
    const task = await filled(tasks, [[1], [2]], 'count')
    runner.add(task)
    expect((await ended(tasks, task)).state).to.equal('completed')
    expect(done).to.deep.equal([1, 2])
  })

  it('end when they are cancelled, by whatever process, and keep what is done', async () => {
    const other = open([])
    const done: unknown[] = []
    const cancelling: TaskKind = {
      name: 'count',
      run: async (task, items) => {
        if (items.includes(2)) await other.tasks.cancel('acme', task.id)
        done.push(...items)
        return items.map(() => ok)
      },
    }
    const { tasks, runner } = open([cancelling])
    const task = await filled(tasks, [[1], [2], [3], [4]], 'count')
    runner.add(task)
    const over = await ended(tasks, task)
    expect(over).to.include({ state: 'cancelled', partsDone: 2 })
    expect(done).to.deep.equal([1, 2])
  })

  it('whose input was cut off fail, and say what to do', async () => {
    const { tasks, runner } = open([])
    const made = await tasks.create('acme', { kind: 'count', spec: {}, actor: 'me', secret: false })
    await runner.look()
    expect((await tasks.get('acme', made.id)).state).to.equal('receiving')
    fixture.clock.time += 31_000
    await runner.look()
    expect(await tasks.get('acme', made.id)).to.include({
      state: 'failed',
      error: 'its input was cut off; send it again',
    })
  })

  it('that fail by our own fault say so, and do not run for ever', async () => {
    const broken: TaskKind = { name: 'count', run: () => Promise.reject(new TypeError('x is undefined')) }
    const { tasks, runner } = open([broken])
    const task = await filled(tasks, [[1]], 'count')
    runner.add(task)
    expect(await ended(tasks, task)).to.include({
      state: 'failed',
      error: 'something went wrong on our side',
    })
  })
})
