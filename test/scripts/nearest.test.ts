import { expect } from 'chai'
import { nearest } from '#scripts/nearest.ts'

describe('nearest name', () => {
  const names = ['mqtt.receive_maximum', 'mqtt.max_inflight', 'listen']
  it('finds what a typo meant, so that nobody has to look it up', () => {
    expect(nearest('mqtt.recieve_maximum', names)).to.equal('mqtt.receive_maximum')
    expect(nearest('lisen', names)).to.equal('listen')
  })
  it('suggests nothing for a word that is like none', () => {
    expect(nearest('colour', names)).to.equal(undefined)
  })
})
