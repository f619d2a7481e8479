import { expect } from 'chai'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { findTarget } from '#scripts/client/target.ts'

describe('which platform a command speaks to', () => {
  const before = { ...process.env }
  beforeEach(() => {
    process.env['CINQUE_TOKEN'] = 'token'
  })
  afterEach(() => {
    process.env = { ...before }
  })

  it('may be several hosts that have the same data: one that is restarted by an operator does not end it', () => {
    process.env['CINQUE_URL'] = 'https://one.example.org/, https://two.example.org:8443'
    const { url, urls, mqtt } = findTarget({})
    expect(urls).to.deep.equal(['https://one.example.org', 'https://two.example.org:8443'])
    expect(url).to.equal(urls[0])
    expect(mqtt).to.equal('mqtt://one.example.org:1883')
  })

  it('is refused by the one of them that is no address', () => {
    expect(() => findTarget({ url: 'https://one.example.org,two', token: 'token' })).to.throw(
      /--url two: expected/,
    )
  })
})
