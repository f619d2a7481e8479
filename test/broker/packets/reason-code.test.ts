import { expect } from 'chai'
import { ReasonCode, reasonName } from '#broker/packets/index.ts'

describe('reason codes', () => {
  it('have names that a person can read in a log', () => {
    expect(reasonName(ReasonCode.Success)).to.equal('Success')
    expect(reasonName(ReasonCode.GrantedQos2)).to.equal('Granted QoS 2')
    expect(reasonName(ReasonCode.BadUserNameOrPassword)).to.equal('Bad user name or password')
    expect(reasonName(0xee)).to.equal('Reason 0xee')
  })

  it('have the values of the specification (table 2-6): failures without a gap, each name once', () => {
    const codes = Object.values(ReasonCode)
    const failures = codes.filter((code) => code >= 0x80)
    expect(failures).to.deep.equal(Array.from({ length: 0xa2 - 0x80 + 1 }, (_, i) => 0x80 + i))
    expect(new Set(codes.map((code) => reasonName(code))).size).to.equal(codes.length - 1) // 0x00 has two
  })
})
