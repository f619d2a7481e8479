import { expect } from 'chai'
import { anything, assert, constantFrom, property, string, tuple } from 'fast-check'
import { newKey } from '#platform/auth/keys.ts'
import { redact, redacted } from '#platform/audit/redact.ts'

describe('What the audit keeps', () => {
  const kept = (value: unknown): unknown => JSON.parse(redact(value))

  it('has no value whose name says that it is secret', () => {
    for (const name of [
      'password',
      'current_password',
      'token',
      'access_token',
      'refresh_token',
      'secret',
      'Password',
    ]) {
      expect(kept({ [name]: 'x', deep: [{ [name]: { a: 1 } }] })).to.deep.equal({
        [name]: redacted,
        deep: [{ [name]: redacted }],
      })
    }
  })

  it('has no key of ours wherever it stands', () => {
    const texts = tuple(string(), constantFrom('device', 'token', 'node'), string())
    assert(
      property(texts, ([before, kind, after]) => {
        const key = newKey(kind)
        expect(redact({ note: `${before} ${key} ${after}`, list: [key] })).to.not.include(key)
      }),
    )
  })

  it('tells the key of a device from the name of what it measures', () => {
    expect(kept({ key: 'temp' })).to.deep.equal({ key: 'temp' })
    expect(kept({ key: 'abcdefghijklmnopqrstuv' })).to.deep.equal({ key: redacted })
  })

  it('is bounded, and always JSON', () => {
    expect(kept({ text: 'x'.repeat(20_000) })).to.deep.equal({ truncated: true, bytes: 20_011 })
    assert(property(anything(), (value) => void JSON.parse(redact(value))))
  })
})
