import { expect } from 'chai'
import { maxWaiting } from '#platform/outbox/outbox.ts'
import type { Platform } from '#platform/platform.ts'
import { StoreError } from '#platform/store/store.ts'
import { refusal } from '../refusal.ts'
import { Mailbox, type Post, World } from './world.ts'

const leaseMs = 75_000
const hour = 3_600_000
const day = 24 * hour

describe('the outbox', () => {
  let world: World
  let box: Mailbox

  beforeEach(() => {
    world = new World()
    box = new Mailbox()
  })
  afterEach(() => world.close())

  const invite = (
    { identity: { invitations, letters } }: Platform,
    email = 'ann@example.com',
  ): Promise<{ id: string }> =>
    invitations.create('default', { email, role: 'viewer', groups: null, invitedBy: 'bob' }, ({ token }) =>
      letters.send('invitation', email, token, 'Come in:'),
    )

  it('sends a letter once, however many processes look at the same moment', async () => {
    const processes = await Promise.all([1, 2, 3].map(() => world.process(box.take)))
    await invite(processes[0])
    await Promise.all(processes.map(({ outboxWorker }) => outboxWorker.look()))
    await Promise.all(processes.map(({ outboxWorker }) => outboxWorker.look()))
    expect(box.deliveries).to.equal(1)
    const [letter] = box.letters.values()
    expect(letter).to.include({ to: 'ann@example.com', subject: 'You are invited: cinque' })
    expect(letter.text).to.match(/^Come in:\n\nhttps:\/\/iot\.example\.com\/account#invitation=i_\w+\n$/)
    expect(world.metrics.render()).to.match(/cinque_outbox_waiting 0\n/)
  })

  for (const [when, has] of [
    ['before the mail server has it', false],
    ['when the mail server has it, and nothing says so', true],
  ] as const) {
    it(`sends it once if its process dies ${when}`, async () => {
      const dying = Promise.withResolvers<void>()
      const dead: Post = async (letter) => {
        if (has) await box.take(letter)
        dying.resolve()
        return new Promise(() => undefined)
      }
      const first = await world.process(dead)
      await invite(first)
      void first.outboxWorker.look()
      await dying.promise
      const second = await world.process(box.take)
      await second.outboxWorker.look()
      expect(box.letters.size).to.equal(has ? 1 : 0)
      world.clock.time += leaseMs
      await second.outboxWorker.look()
      await second.outboxWorker.look()
      expect(box.letters.size).to.equal(1)
      expect(box.deliveries).to.equal(has ? 2 : 1)
    })
  }

  it('sends no letter of what did not become so, or is so no more', async () => {
    const one = await world.process(box.take)
    const { identity } = one
    // Its process dies when the letter waits, and before there is an invitation.
    const dies = identity.invitations.create(
      'default',
      { email: 'ann@example.com', role: 'viewer', groups: null, invitedBy: 'bob' },
      async ({ token }) => {
        await identity.letters.send('invitation', 'ann@example.com', token, 'Come in:')
        throw new Error('killed')
      },
    )
    await dies.catch(() => undefined)
    const { id } = await invite(one, 'carl@example.com')
    await identity.invitations.delete('default', id)
    await one.outboxWorker.look()
    expect(world.metrics.render()).to.match(/cinque_outbox_oldest_seconds 0\n/)
    world.clock.time += day + 1
    await one.outboxWorker.look()
    expect(box.deliveries).to.equal(0)
    expect(world.metrics.render()).to.match(/cinque_outbox_dropped_total\{reason="void"\} 2\n/)
    expect(world.metrics.render()).to.match(/cinque_outbox_waiting 0\n/)
  })

  it('tries again what the mail server refuses, later each time, and gives up after a day', async () => {
    let tries = 0
    const one = await world.process(() => {
      tries++
      return Promise.reject(new Error('451 try again'))
    })
    await invite(one)
    for (let minute = 0; minute <= 24 * 60 + 15; minute++) {
      // oxlint-disable-next-line no-await-in-loop -- one look after the other
      await one.outboxWorker.look()
      world.clock.time += 60_000
    }
    // At first after seconds, then every ten minutes.
    expect(tries).to.be.within(24 * 5, 24 * 7)
    expect(world.metrics.render()).to.match(/cinque_outbox_dropped_total\{reason="given_up"\} 1\n/)
    world.clock.time += day
    await one.outboxWorker.look()
    expect(tries).to.be.below(24 * 7)
  })

  it('sends it once although the store is away when that is to be noted', async () => {
    const one = await world.process(async (letter) => {
      await box.take(letter)
      const put = world.store.putIf.bind(world.store)
      world.store.putIf = () => {
        world.store.putIf = put
        return Promise.reject(new StoreError('unavailable', 'away'))
      }
    })
    await invite(one)
    await one.outboxWorker.look()
    world.clock.time += leaseMs
    await one.outboxWorker.look()
    expect(box.deliveries).to.equal(1)
  })

  it('leaves letters to processes that have a mail server', async () => {
    const one = await world.process(box.take)
    await invite(one)
    const other = await world.process(undefined)
    await other.outboxWorker.look()
    expect(box.deliveries).to.equal(0)
    await one.outboxWorker.look()
    expect(box.deliveries).to.equal(1)
  })

  it('counts a letter of a kind that nobody knows while it waits, and when it is dropped', async () => {
    const one = await world.process(box.take)
    await world.outbox.put({ id: 'later', kind: 'pigeon', spec: {} })
    world.clock.time += hour
    await one.outboxWorker.look()
    expect(world.metrics.render()).to.match(/cinque_outbox_waiting 1\n/)
    expect(world.metrics.render()).to.match(/cinque_outbox_oldest_seconds 3600\n/)
    world.clock.time += day
    await one.outboxWorker.look()
    world.clock.time += 1
    await one.outboxWorker.look()
    expect(world.metrics.render()).to.match(/cinque_outbox_dropped_total\{reason="unknown_kind"\} 1\n/)
    expect(world.metrics.render()).to.match(/cinque_outbox_waiting 0\n/)
  })

  it('counts letters of which no process can send any more, as the mail server was taken away', async () => {
    await invite(await world.process(box.take))
    const mute = new World(world.clock, world.store)
    const other = await mute.process(undefined)
    await other.outboxWorker.look()
    expect(mute.metrics.render()).to.match(/cinque_outbox_oldest_seconds 0\n/)
    world.clock.time += day + 60_000
    await other.outboxWorker.look()
    expect(mute.metrics.render()).to.match(/cinque_outbox_oldest_seconds 86460\n/)
    world.clock.time += hour
    await other.outboxWorker.look()
    expect(mute.metrics.render()).to.match(/cinque_outbox_dropped_total\{reason="unknown_kind"\} 1\n/)
    await other.close()
  })

  it('sends what waits although there is no room for what there is to tell', async () => {
    const one = await world.process(box.take)
    for (const email of ['ann@example.com', 'bob@example.com']) {
      // oxlint-disable-next-line no-await-in-loop -- two
      await one.identity.users.setPlatform(
        // oxlint-disable-next-line no-await-in-loop
        await one.identity.users.create({ email, password: 'correct horse battery' }),
        true,
      )
    }
    const hosts = [{ host: 'dc01-app1', dc: 'dc01' }]
    const input = { kind: 'restart', actor: 'ann', reason: 'daily', approval: true, hosts } as const
    await one.rolls.create(input)
    const { token } = await one.identity.tokens.issue('reset', { user: 'nobody' })
    await Promise.all(
      Array.from({ length: maxWaiting }, () =>
        one.identity.letters.send('reset', 'ann@example.com', token, ''),
      ),
    )
    await one.outboxWorker.look()
    expect(box.deliveries).to.equal(maxWaiting)
    world.clock.time += 31_000
    await one.outboxWorker.look()
    expect(box.deliveries).to.equal(maxWaiting + 2)
  })

  it('takes as long for an address that nobody has, to whom nothing is sent', async () => {
    const one = await world.process(box.take)
    const { token } = await one.identity.tokens.issue('reset', { user: 'nobody' })
    await one.identity.letters.send('reset', null, token, 'Here:')
    await one.outboxWorker.look()
    expect(box.deliveries).to.equal(0)
    expect(world.metrics.render()).to.match(/cinque_outbox_waiting 0\n/)
  })

  it('refuses more than it can hold, before anything else is done', async () => {
    const one = await world.process(box.take)
    for (let i = 0; i < maxWaiting; i++) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await one.identity.letters.send('reset', 'ann@example.com', `w_${i}`, '')
    }
    expect(await refusal(invite(one))).to.match(/^overloaded: too many letters wait/)
    const open = await one.identity.invitations.list('default', { limit: 10 })
    expect(open.invitations).to.deep.equal([])
  })
})
