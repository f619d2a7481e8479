import { expect } from 'chai'
import { Admission, type Ban } from '#broker/admission.ts'
import { type LimitsConfig, limitsConfig } from '#broker/config.ts'
import type { ConnectionInfo } from '#broker/listeners/transport.ts'
import { Metrics } from '#platform/metrics.ts'
import { collectLog } from './log-lines.ts'

const from = (remoteAddress: string): ConnectionInfo => ({
  remoteAddress,
  remotePort: 4711,
  listener: 'tcp://127.0.0.1:1883',
  protocol: 'tcp',
})
const here = from('192.0.2.1')

class Story {
  time = 1_000_000
  readonly lines: Record<string, unknown>[]
  readonly metrics = new Metrics()
  readonly admission: Admission

  constructor(limits: Partial<LimitsConfig>) {
    const { log, lines } = collectLog()
    this.lines = lines
    this.admission = new Admission(
      { ...limitsConfig.parse({}), ...limits },
      { now: () => this.time },
      this.metrics,
      log,
    )
  }

  /** How many of `n` connects are admitted now. */
  admitted(n: number): number {
    let admitted = 0
    for (let i = 0; i < n; i++) if (this.admission.connecting(here) === null) admitted++
    return admitted
  }

  refused(reason: string): number {
    return this.metrics.counter('cinque_connections_refused_total', '', { reason }).value
  }
}

describe('admission', () => {
  it('holds at most max_connections, and takes the next when one closes', () => {
    const story = new Story({ max_connections: 2 })
    for (let i = 0; i < 2; i++) {
      expect(story.admission.connecting(here)).to.equal(null)
      story.admission.opened()
    }
    expect(story.admission.connecting(here)).to.equal(0x88)
    expect(story.refused('max_connections')).to.equal(1)
    expect(story.lines[0]).to.include({ event: 'connection.refused', reason: 'max_connections', level: 40 })
    story.admission.closed()
    expect(story.admission.connecting(here)).to.equal(null)
  })

  it('holds connects to the rate, after one second of it at once', () => {
    const story = new Story({ connect_rate: 10 })
    expect(story.admitted(15)).to.equal(10)
    expect(story.admission.connecting(here)).to.equal(0x9f)
    story.time += 500
    expect(story.admitted(15)).to.equal(5)
    story.time += 60_000
    expect(story.admitted(15)).to.equal(10)
    expect(story.refused('connect_rate')).to.equal(5 + 1 + 10 + 5)
  })

  it('takes connect_burst at once where it is set', () => {
    const story = new Story({ connect_rate: 10, connect_burst: 100 })
    expect(story.admitted(150)).to.equal(100)
    story.time += 1000
    expect(story.admitted(150)).to.equal(10)
  })

  it('goes on when the wall clock is set back', () => {
    const story = new Story({ connect_rate: 10 })
    story.admitted(10)
    story.time -= 3_600_000
    expect(story.admitted(1)).to.equal(0)
    story.time += 1000
    expect(story.admitted(15)).to.equal(10)
  })

  it('logs some lines of a storm, counts all of it, and then says how many were left out', () => {
    const story = new Story({ connect_rate: 1 })
    story.admitted(10_001)
    expect(story.refused('connect_rate')).to.equal(10_000)
    expect(story.lines).to.have.length(10)
    story.time += 11_000
    story.admitted(2)
    expect(story.lines).to.have.length(11)
    expect(story.lines[10]).to.include({ suppressed: 9990 })
  })

  describe('flapping', () => {
    const limits = { flapping_count: 3, flapping_window: 60, flapping_ban: 300 }
    const connect = (story: Story, clientId = 'd1', address = '192.0.2.1', org = 'acme'): number | null =>
      story.admission.identify(org, clientId, '', address)

    it('bans a client that connects too often within the window, for a while', () => {
      const story = new Story(limits)
      expect([connect(story), connect(story), connect(story)]).to.deep.equal([null, null, null])
      expect(connect(story)).to.equal(0x8a)
      story.time += 299_000
      expect(connect(story)).to.equal(0x8a)
      expect(story.refused('banned')).to.equal(2)
      expect(story.lines[0]).to.include({ client: 'd1', org: 'acme', address: '192.0.2.1' })
      story.time += 1000
      expect(connect(story)).to.equal(null)
    })

    it('leaves alone who reconnects now and then', () => {
      const story = new Story(limits)
      for (let i = 0; i < 100; i++) {
        expect(connect(story)).to.equal(null)
        story.time += 20_000
      }
    })

    it("can not be used to have somebody else's client id banned", () => {
      const story = new Story(limits)
      for (let i = 0; i < 10; i++) connect(story, 'd1', '198.51.100.66')
      expect(connect(story, 'd1', '198.51.100.66')).to.equal(0x8a)
      expect(connect(story, 'd1', '192.0.2.1')).to.equal(null)
      expect(connect(story, 'd1', '198.51.100.66', 'other')).to.equal(null)
      expect(connect(story, 'd2', '198.51.100.66')).to.equal(null)
    })

    it('never bans where it is not configured', () => {
      const story = new Story({})
      for (let i = 0; i < 1000; i++) expect(connect(story)).to.equal(null)
    })

    it('remembers a bounded number of clients, the latest', () => {
      const story = new Story(limits)
      for (let i = 0; i < 3; i++) connect(story, 'early')
      for (let i = 0; i < 70_000; i++) connect(story, `c${i}`)
      for (let i = 0; i < 3; i++) connect(story, 'late')
      expect(connect(story, 'late')).to.equal(0x8a)
      expect(connect(story, 'early')).to.equal(null)
    })

    it('is listed and can be lifted', () => {
      const story = new Story(limits)
      for (let i = 0; i < 4; i++) connect(story)
      const expected: Ban = {
        kind: 'client',
        org: 'acme',
        value: 'd1',
        until: story.time + 300_000,
        reason: 'more than 3 connects within 60 s',
        address: '192.0.2.1',
      }
      expect(story.admission.bans()).to.deep.equal([expected])
      expect(story.admission.unban({ kind: 'client', org: 'acme', value: 'd1' })).to.equal(true)
      expect(story.admission.bans()).to.deep.equal([])
      expect(connect(story)).to.equal(null)
    })
  })

  describe('bans', () => {
    it('refuse a client id or a user name within its organisation only', () => {
      const { admission } = new Story({})
      admission.ban({ kind: 'client', org: 'acme', value: 'd1' }, 60, 'stolen')
      admission.ban({ kind: 'username', org: 'acme', value: 'joe' }, 60, 'left')
      expect(admission.identify('acme', 'd1', '', '192.0.2.1')).to.equal(0x8a)
      expect(admission.identify('acme', 'd2', 'joe', '192.0.2.1')).to.equal(0x8a)
      expect(admission.identify('other', 'd1', 'joe', '192.0.2.1')).to.equal(null)
      expect(admission.identify('acme', 'joe', 'd1', '192.0.2.1')).to.equal(null)
    })

    it('refuse an address before it has said anything', () => {
      const { admission } = new Story({})
      admission.ban({ kind: 'address', org: '', value: '192.0.2.1' }, Infinity, 'scans')
      expect(admission.connecting(here)).to.equal(0x8a)
      expect(admission.connecting(from('192.0.2.2'))).to.equal(null)
    })

    it('end by time or by unban', () => {
      const story = new Story({})
      const target = { kind: 'address', org: '', value: '192.0.2.1' } as const
      story.admission.ban(target, 60, 'scans')
      story.time += 60_000
      expect(story.admission.connecting(here)).to.equal(null)
      story.admission.ban(target, 60, 'scans')
      expect(story.admission.bans()).to.have.length(1)
      expect([story.admission.unban(target), story.admission.unban(target)]).to.deep.equal([true, false])
      expect(story.admission.connecting(here)).to.equal(null)
    })

    it('are bounded, and one set by hand is never dropped for another', () => {
      const story = new Story({})
      const ban = (i: number): void =>
        story.admission.ban({ kind: 'address', org: '', value: `h${i}` }, 60, '')
      for (let i = 0; i < 65_536; i++) ban(i)
      expect(() => ban(65_536)).to.throw('lift some')
      story.time += 61_000
      ban(65_536)
      expect(story.admission.bans()).to.have.length(1)
    })
  })
})
