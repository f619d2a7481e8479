import { expect } from 'chai'
import { Attempts } from '#platform/identity/attempts.ts'
import { TestClock } from '../telemetry/fixture.ts'

const limits = { pair: 3, account: 10, address: 5, windowMs: 60_000 }

describe('Attempts to sign in', () => {
  let clock: TestClock
  let attempts: Attempts
  beforeEach(() => {
    clock = new TestClock()
    attempts = new Attempts(clock, limits)
  })

  it('are limited for one account from one address, until the window is over', () => {
    for (let i = 0; i < 3; i++) expect(attempts.begin('ann', '192.0.2.1')).to.equal(0)
    clock.time += 20_000
    expect(attempts.begin('ann', '192.0.2.1')).to.equal(40_000)
    clock.time += 40_000
    expect(attempts.begin('ann', '192.0.2.1')).to.equal(0)
  })

  it('from one place do not lock the owner out who is at another', () => {
    for (let i = 0; i < 9; i++) attempts.begin('ann', '192.0.2.1')
    expect(attempts.begin('ann', '192.0.2.2')).to.equal(0)
  })

  it('from many places are limited for one account', () => {
    const waits = Array.from({ length: 12 }, (_, i) => attempts.begin('ann', `192.0.2.${i}`))
    expect(waits.filter((wait) => wait > 0)).to.have.length(2)
  })

  it('are limited for one address, whoever it tries', () => {
    const waits = Array.from({ length: 7 }, (_, i) => attempts.begin(`user${i}`, '192.0.2.1'))
    expect(waits.filter((wait) => wait > 0)).to.have.length(2)
  })

  it('see one host in all addresses of its IPv6 network', () => {
    const addresses = ['2001:db8::1', '2001:db8::2', '2001:db8:0:0:ffff::1', '2001:db8:0:0:1:2:3:4']
    expect(addresses.map((address) => attempts.begin('ann', address) > 0)).to.deep.equal([
      false,
      false,
      false,
      true,
    ])
    expect(attempts.begin('ann', '2001:db8:0:1::1')).to.equal(0)
  })

  it('do not count against who has shown the password', () => {
    for (let i = 0; i < 20; i++) {
      expect(attempts.begin('ann', '192.0.2.1')).to.equal(0)
      attempts.succeeded('ann', '192.0.2.1')
    }
  })
})
