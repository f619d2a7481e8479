import { expect } from 'chai'
import { BrokerFuzz } from './broker.ts'

const SEED = 20_240_611
const ROUNDS = 500

describe('a broker whose other clients send mutated packets', () => {
  let fuzz: BrokerFuzz

  before(async () => {
    fuzz = await BrokerFuzz.start(SEED)
  })

  after(() => fuzz.stop())

  it('closes them, and a client that behaves gets every acknowledgement and message, once and in order', async () => {
    for (let i = 0; i < ROUNDS; i++) await fuzz.round()
    // Otherwise the attacks would have ended at the first packet, and shown nothing.
    expect(fuzz.reached.connects).to.be.greaterThan(ROUNDS / 2)
    expect(fuzz.reached.malformed).to.be.greaterThan(ROUNDS / 4)
    expect(fuzz.reached.messages).to.be.greaterThan(2.5 * ROUNDS) // two a round are the client's own
  })
})
