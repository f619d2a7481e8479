import { expect } from 'chai'
import type { Platform } from '#platform/platform.ts'
import { reported, taken } from '#platform/rolls/transitions.ts'
import { Mailbox, World } from './world.ts'

const hosts = [{ host: 'dc01-app1', dc: 'dc01' }]

describe('letters about the fleet', () => {
  let world: World
  let box: Mailbox
  let processes: Platform[]

  beforeEach(async () => {
    world = new World()
    box = new Mailbox()
    processes = await Promise.all([1, 2].map(() => world.process(box.take)))
    const { users } = processes[0].identity
    for (const email of ['ann@example.com', 'bob@example.com']) {
      // oxlint-disable-next-line no-await-in-loop -- two
      const user = await users.create({ email, password: 'correct horse battery' })
      // oxlint-disable-next-line no-await-in-loop
      await users.setPlatform(user, true)
    }
  })
  afterEach(() => world.close())

  /** Everybody looks, again and again. */
  async function later(): Promise<string[]> {
    for (let i = 0; i < 3; i++) {
      world.clock.time += 31_000
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await Promise.all(processes.map(({ outboxWorker }) => outboxWorker.look()))
    }
    return Array.from(box.letters.values(), ({ to, subject }) => `${to} ${subject}`).toSorted()
  }

  it('tell each administrator once that a roll failed, although its runner told nobody', async () => {
    const { rolls } = processes[0]
    const { id } = await rolls.create({
      kind: 'restart',
      actor: 'ann',
      reason: 'daily',
      approval: false,
      hosts,
    })
    const { runner } = await rolls.change(id, (one, now) => taken(one, 'r', now))
    const report = { host: 'dc01-app1', phase: 'settle', state: 'failed', note: 'no answer' } as const
    expect(await later()).to.deep.equal([])
    await rolls.change(id, (one, now) => reported(one, runner?.token ?? 0, report, now))
    expect(await later()).to.deep.equal([
      'ann@example.com cinque: restart failed at dc01-app1',
      'bob@example.com cinque: restart failed at dc01-app1',
    ])
    expect(box.deliveries).to.equal(2)
    // A process that starts later finds it told.
    processes.push(await world.process(box.take))
    await later()
    expect(box.deliveries).to.equal(2)
  })

  it('ask the others, and not who has planned it, to approve', async () => {
    const { rolls } = processes[0]
    const input = {
      kind: 'reinstall',
      actor: 'ann@example.com',
      reason: 'weekly',
      approval: true,
      hosts,
    } as const
    await rolls.create(input)
    expect(await later()).to.deep.equal([
      'bob@example.com cinque: ann@example.com asks you to approve a reinstall of 1 hosts',
    ])
  })

  it('tell of a time of a schedule that failed', async () => {
    const { schedules } = processes[1]
    await schedules.put({
      name: 'nightly',
      job: 'backup',
      cron: '0 0 * * *',
      timezone: 'UTC',
      on: '',
      jitter: 0,
      missed: 'run',
      enabled: true,
      overdueAfter: 12,
      owner: 'ann',
    })
    const due = world.clock.now()
    const { token } = await schedules.claim('nightly', due, 'one')
    await schedules.report('nightly', due, token, { state: 'failed', note: 'storage is full' })
    expect((await later()).length).to.equal(2)
    expect([...box.letters.values()][0].text).to.match(/by one: storage is full/)
  })
})
