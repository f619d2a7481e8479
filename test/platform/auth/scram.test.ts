import { createHash, createHmac } from 'node:crypto'
import { expect } from 'chai'
import { scramVerifier } from '#platform/auth/scram.ts'

const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')

describe('SCRAM-SHA-256 verifiers', () => {
  it('accept the proof and give the signature of the example in RFC 7677, section 3', async () => {
    const verifier = await scramVerifier('pencil', { salt, iterations: 4096 })
    const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
    const message = [
      'n=user,r=rOprNGfwEbeRWgbNEkqO',
      `r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`,
      `c=biws,r=${nonce}`,
    ].join(',')
    const signature = createHmac('sha256', verifier.storedKey).update(message).digest()
    const proof = Buffer.from('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'base64')
    const clientKey = proof.map((byte, index) => byte ^ signature[index])
    expect(createHash('sha256').update(clientKey).digest().equals(verifier.storedKey)).to.equal(true)
    expect(createHmac('sha256', verifier.serverKey).update(message).digest('base64')).to.equal(
      '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
    )
  })

  it('have a salt of their own, so that equal passwords do not show', async () => {
    const [one, other] = await Promise.all([scramVerifier('same'), scramVerifier('same')])
    expect(Buffer.compare(one.storedKey, other.storedKey)).to.not.equal(0)
    expect(one.iterations).to.be.at.least(4096)
  })

  it('take what a keyboard makes of a password for the same password (RFC 4013)', async () => {
    const [composed, decomposed] = await Promise.all([
      scramVerifier('caf\u00e9 \u2168', { salt }),
      scramVerifier('cafe\u0301\u00a0\u00adIX', { salt }),
    ])
    expect(Buffer.compare(composed.storedKey, decomposed.storedKey)).to.equal(0)
  })

  it('refuse control characters', async () => {
    const outcome = await scramVerifier('a\u0007b').catch((error: unknown) => error)
    expect(outcome).to.be.instanceOf(RangeError)
  })
})
