import { expect } from 'chai'
import { PacketError } from '#broker/packets/index.ts'
import { decodePacket } from '../broker/packets/packet.ts'
import { fuzzCodec, mutants } from './fuzz.ts'

const SEED = 20_240_611
const INPUTS = 5000

describe('mutated packets', () => {
  it('are decoded or refused by every decoder, whatever they say', () => {
    const inputs = mutants(SEED)
    for (let i = 0; i < INPUTS; i++) fuzzCodec(inputs.next().value)
  })

  it('reach behind the checks: some are still valid, and the refusals are of many kinds', () => {
    const inputs = mutants(SEED)
    const clauses = new Set<string>()
    let valid = 0
    for (let i = 0; i < INPUTS; i++) {
      try {
        if (decodePacket(inputs.next().value, 5) !== null) valid++
      } catch (error) {
        if (!(error instanceof PacketError)) throw error
        clauses.add(error.clause)
      }
    }
    expect(valid).to.be.within(INPUTS / 50, INPUTS / 2)
    expect(clauses.size).to.be.greaterThan(40)
  })
})
