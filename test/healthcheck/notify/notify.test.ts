import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { Alert } from '#healthcheck/alerts/alert.ts'
import type { Channel } from '#healthcheck/notify/channel.ts'
import { giveUpMs } from '#healthcheck/notify/courier.ts'
import type { Message } from '#healthcheck/notify/message.ts'
import { Notifier } from '#healthcheck/notify/notifier.ts'
import { createLogger } from '#platform/log.ts'
import type { Plan } from '#platform/maintenance/plan.ts'
import { Metrics } from '#platform/metrics.ts'
import { VirtualClock, VirtualTime, VirtualTimers } from '../../virtual-time.ts'
import { plan } from '../status/fixture.ts'

const names = ['c1', 'c2', 'c3', 'c4', 'c5']
const hourMs = 3_600_000

function alertOf(subject: string, change: Partial<Alert> = {}): Alert {
  return {
    name: 'DcDown',
    subject,
    severity: 'critical',
    summary: `${subject} is down`,
    dc: subject,
    key: `DcDown/${subject}`,
    since: 0,
    ...change,
  }
}

/** Five checkers that see alerts, can be cut off from each other, and tell one receiver. */
class Cell {
  readonly time = new VirtualTime()
  readonly directory = mkdtempSync(join(tmpdir(), 'cinque-notify-'))
  readonly sent: { from: string; message: Message }[] = []
  readonly checkers = new Map<
    string,
    { notifier: Notifier; timers: VirtualTimers; metrics: Metrics; clock: VirtualClock }
  >()
  /** What each of them sees. */
  readonly sees = new Map<string, readonly Alert[]>()
  plans: readonly Plan[] = []
  /** Whether one reaches the other. */
  reach: (from: string, to: string) => boolean = () => true
  /** How long the receiver takes, and whether it takes it. */
  sendMs = 200
  refuses: (from: string) => boolean = () => false

  constructor() {
    for (const name of names) this.start(name)
  }

  start(name: string, skew = 0): void {
    const timers = new VirtualTimers(this.time)
    const clock = new VirtualClock(this.time, skew)
    const metrics = new Metrics()
    const channel: Channel = {
      name: 'mail:1',
      kind: 'mail',
      send: (message) =>
        new Promise((resolve, reject) => {
          timers.after(this.sendMs, () => {
            if (this.refuses(name)) return reject(new Error('451 try again'))
            this.sent.push({ from: name, message })
            resolve()
          })
        }),
    }
    const notifier = new Notifier({
      checker: name,
      channels: [channel],
      about: { cell: 'acme', runbooks: 'docs/operations/alerts', url: null },
      repeatMs: 4 * hourMs,
      live: () =>
        names.filter(
          (one) => one !== name && this.checkers.get(one)?.timers.alive === true && this.reach(name, one),
        ),
      read: async (other) => {
        const found = this.checkers.get(other)
        if (found?.timers.alive !== true || !this.reach(name, other)) throw new Error('refused')
        await new Promise<void>((later) => timers.after(20, later))
        return found.notifier.page()
      },
      directory: join(this.directory, name),
      clock,
      timers,
      log: createLogger({ level: 'silent' }),
      metrics,
    })
    timers.every(2000, () => notifier.look(this.sees.get(name) ?? [], this.plans))
    this.checkers.set(name, { notifier, timers, metrics, clock })
  }

  kill(name: string): void {
    this.checkers.get(name)?.timers.kill()
  }

  all(...alerts: Alert[]): void {
    for (const name of names) this.sees.set(name, alerts)
  }

  /** What was sent, in short: `firing DcDown/dc03`. */
  get news(): string[] {
    return this.sent.flatMap(({ message }) => message.items.map(({ news, alert }) => `${news} ${alert.key}`))
  }

  total(metric: string): number {
    return Array.from(this.checkers.values()).reduce((all, { metrics }) => all + metrics.total(metric), 0)
  }

  close(): void {
    for (const { timers } of this.checkers.values()) timers.kill()
    rmSync(this.directory, { recursive: true })
  }
}

describe('Messages about alerts', () => {
  let cell: Cell
  beforeEach(async () => {
    cell = new Cell()
    // Until what is missing counts as over.
    await cell.time.runAsync(400_000)
  })
  afterEach(() => cell.close())

  it('are sent once by five checkers, when it begins and when it is over', async () => {
    cell.all(alertOf('dc03'))
    await cell.time.runAsync(10_000)
    expect(cell.news, 'within ten seconds').to.deep.equal(['firing DcDown/dc03'])
    await cell.time.runAsync(600_000)
    cell.all()
    await cell.time.runAsync(600_000)
    expect(cell.news).to.deep.equal(['firing DcDown/dc03', 'resolved DcDown/dc03'])
  })

  it('are sent by the next one when the first one dies at that moment', async () => {
    for (const first of names) {
      const here = new Cell()
      // oxlint-disable-next-line no-await-in-loop -- one cell after the other
      await here.time.runAsync(400_000)
      here.all(alertOf('dc03'))
      here.kill(first)
      // oxlint-disable-next-line no-await-in-loop
      await here.time.runAsync(90_000)
      expect(here.news, `without ${first}`).to.deep.equal(['firing DcDown/dc03'])
      here.close()
    }
  })

  it('are sent also if only one checker sees it', async () => {
    cell.sees.set('c4', [alertOf('dc03')])
    await cell.time.runAsync(60_000)
    expect(cell.news).to.deep.equal(['firing DcDown/dc03'])
    expect(cell.sent[0].from).to.equal('c4')
  })

  it('are sent when some see it a minute later than others', async () => {
    for (const [i, name] of names.entries()) {
      cell.sees.set(name, [alertOf('dc03')])
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await cell.time.runAsync(i * 7000)
    }
    await cell.time.runAsync(120_000)
    expect(cell.news).to.deep.equal(['firing DcDown/dc03'])
  })

  it('come from both sides of a cut, which know nothing of each other', async () => {
    const left = new Set(['c1', 'c2', 'c3'])
    cell.reach = (from, to) => left.has(from) === left.has(to)
    cell.all(alertOf('dc03'))
    await cell.time.runAsync(120_000)
    expect(cell.news).to.deep.equal(['firing DcDown/dc03', 'firing DcDown/dc03'])
    expect(new Set(cell.sent.map(({ from }) => left.has(from))).size).to.equal(2)
  })

  it('wait for a mail server that refuses, from whoever reaches one, and are not forgotten', async () => {
    cell.refuses = (from) => from !== 'c5'
    cell.all(alertOf('dc03'))
    await cell.time.runAsync(180_000)
    expect(cell.news).to.deep.equal(['firing DcDown/dc03'])
    expect(cell.sent[0].from).to.equal('c5')
    cell.refuses = () => true
    cell.all()
    await cell.time.runAsync(2 * hourMs)
    expect(cell.news).to.have.length(1)
    cell.refuses = () => false
    await cell.time.runAsync(1_200_000)
    expect(cell.news).to.deep.equal(['firing DcDown/dc03', 'resolved DcDown/dc03'])
    expect(cell.total('cinque_notify_failed_total')).to.be.above(3)
  })

  it('that nobody takes for a day are dropped, and counted', async () => {
    cell.refuses = () => true
    cell.all(alertOf('dc03'))
    await cell.time.runAsync(giveUpMs + 60_000)
    expect(cell.total('cinque_notify_dropped_total')).to.equal(5)
    const tries = cell.total('cinque_notify_failed_total')
    expect(tries, 'with longer and longer pauses').to.be.below(5 * 160)
  }).timeout(60_000)

  it('of the same time are one', async () => {
    cell.all(
      alertOf('dc01'),
      alertOf('dc02'),
      alertOf('dc01-app1', { name: 'HostDown', key: 'HostDown/dc01-app1', dc: 'dc01', follows: true }),
    )
    await cell.time.runAsync(120_000)
    expect(cell.news.toSorted()).to.deep.equal(['firing DcDown/dc01', 'firing DcDown/dc02'])
    expect(cell.sent.length).to.be.at.most(2)
  })

  it('are repeated while it lasts', async () => {
    cell.all(alertOf('dc03'))
    await cell.time.runAsync(9 * hourMs)
    expect(cell.news).to.deep.equal(Array.from({ length: 3 }, () => 'firing DcDown/dc03'))
  }).timeout(60_000)

  it('do not come while it is silenced, and come when the silence ends', async () => {
    const now = new VirtualClock(cell.time).now()
    cell.plans = [
      plan({ kind: 'silence', alerts: ['DcDown'], subjects: ['dc03'], startsAt: now, endsAt: now + 600_000 }),
    ]
    cell.all(alertOf('dc03'), alertOf('dc02'))
    await cell.time.runAsync(500_000)
    expect(cell.news).to.deep.equal(['firing DcDown/dc02'])
    await cell.time.runAsync(200_000)
    expect(cell.news).to.deep.equal(['firing DcDown/dc02', 'firing DcDown/dc03'])
  })

  it('do not come for planned maintenance', async () => {
    const now = new VirtualClock(cell.time).now()
    cell.plans = [plan({ subjects: ['dc03'], startsAt: now, endsAt: now + hourMs })]
    cell.all(alertOf('dc03'))
    await cell.time.runAsync(1_000_000)
    cell.all()
    await cell.time.runAsync(1_000_000)
    expect(cell.news).to.deep.equal([])
  })

  it('are not sent again because checkers restart, and "over" comes also after one', async () => {
    cell.all(alertOf('dc03'))
    await cell.time.runAsync(60_000)
    for (const name of names) {
      cell.checkers.get(name)?.notifier.close()
      cell.kill(name)
    }
    // A minute in which the alerts have to hold again.
    cell.all()
    for (const name of names) cell.start(name)
    await cell.time.runAsync(60_000)
    cell.all(alertOf('dc03'))
    await cell.time.runAsync(600_000)
    expect(cell.news).to.deep.equal(['firing DcDown/dc03'])
    cell.all()
    await cell.time.runAsync(600_000)
    expect(cell.news).to.deep.equal(['firing DcDown/dc03', 'resolved DcDown/dc03'])
  })

  it('come once with clocks that are half a minute apart', async () => {
    const here = new Cell()
    for (const [i, name] of names.entries()) {
      here.kill(name)
      here.start(name, (i - 2) * 15_000)
    }
    await here.time.runAsync(400_000)
    here.all(alertOf('dc03'))
    await here.time.runAsync(120_000)
    here.all()
    await here.time.runAsync(120_000)
    expect(here.news).to.deep.equal(['firing DcDown/dc03', 'resolved DcDown/dc03'])
    here.close()
  })

  it('are not "over" when the checkers see nothing any more', async () => {
    cell.all(alertOf('dc03'))
    await cell.time.runAsync(60_000)
    cell.all(alertOf('service', { name: 'CheckersBlind', key: 'CheckersBlind/service' }))
    await cell.time.runAsync(600_000)
    expect(cell.news).to.deep.equal(['firing DcDown/dc03', 'firing CheckersBlind/service'])
  })

  it('of too many alerts are dropped and counted, and memory is bounded', async () => {
    cell.all(...Array.from({ length: 1100 }, (_, i) => alertOf(`h${i}`)))
    await cell.time.runAsync(3000)
    expect(cell.total('cinque_notify_dropped_total')).to.be.above(0)
    await cell.time.runAsync(60_000)
    expect(cell.news.length).to.be.at.most(1000)
  }).timeout(60_000)
})
