import { expect } from 'chai'
import { AckMeter } from '#scripts/sim/ack-meter.ts'

describe('acknowledgement meter of cinque sim', () => {
  it('counts what was sent, acknowledged, refused and not sent', () => {
    const meter = new AckMeter()
    const [first, second] = [meter.sent(), meter.sent(), meter.sent()]
    first(null)
    second(new Error('refused'))
    meter.skip()
    meter.lostConnection()
    expect(meter.waiting).to.equal(1)
    expect(meter.total()).to.include({ sent: 3, acknowledged: 1, failed: 1, skipped: 1, lost_connections: 1 })
  })

  it('gives latencies since the last look, and of the whole run', () => {
    const meter = new AckMeter()
    meter.sent()(null)
    expect(meter.recent().ack_p99_ms).to.be.greaterThan(0)
    expect(meter.recent().ack_p99_ms).to.equal(null)
    expect(meter.total().ack_p50_ms).to.be.greaterThan(0)
  })
})
