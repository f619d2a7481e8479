import { expect } from 'chai'
import { newId } from '#platform/auth/keys.ts'

describe('Ids', () => {
  it('are 22 characters, of which the first is none of an option', () => {
    for (let i = 0; i < 2000; i++) expect(newId()).to.match(/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/)
  })
})
