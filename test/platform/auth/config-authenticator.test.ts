import { expect } from 'chai'
import { ConfigAuthenticator, type ConfigAuthenticatorOptions } from '#platform/auth/config-authenticator.ts'
import { keyHash } from '#platform/auth/keys.ts'
import type { Denial, Principal } from '#platform/auth/principal.ts'

const everything = [{ effect: 'allow', access: 'all', filter: '#' }] as const

function open(options: Partial<ConfigAuthenticatorOptions> = {}): ConfigAuthenticator {
  return new ConfigAuthenticator({
    organisation: 'acme',
    anonymous: false,
    users: [],
    acl: everything,
    ...options,
  })
}

function connect(
  authenticator: ConfigAuthenticator,
  username?: string,
  password?: string,
): Principal | Denial {
  const secret = password === undefined ? undefined : Buffer.from(password)
  return authenticator.authenticate({
    clientId: 'c1',
    username,
    password: secret,
    remoteAddress: '127.0.0.1',
  })
}

describe('users and anonymous clients by configuration', () => {
  const users = [
    { username: 'ada', password: 'secret' },
    { username: 'bob', password_sha256: keyHash('hidden').toString('hex'), acl: [] },
    { username: 'eve' },
  ]

  it('lets in who has the right password, in the clear or by its SHA-256', () => {
    expect(connect(open({ users }), 'ada', 'secret')).to.include({
      org: 'acme',
      username: 'ada',
      device: null,
    })
    expect(connect(open({ users }), 'bob', 'hidden')).to.include({ username: 'bob' })
  })

  const refused: [name: string, username: string | undefined, password: string | undefined, words: string][] =
    [
      ['a wrong password', 'ada', 'Secret', 'wrong password'],
      ['no password', 'ada', undefined, 'brought no password'],
      ['an empty password', 'ada', '', 'wrong password'],
      ['an unknown user', 'mallory', 'secret', 'no user "mallory"'],
      ['a user without a password in the configuration', 'eve', '', 'has no password'],
      ['nobody', undefined, undefined, 'auth.anonymous'],
    ]
  for (const [name, username, password, words] of refused) {
    it(`refuses ${name} and says why`, () => {
      const denial = connect(open({ users }), username, password)
      expect(denial).to.include({ denied: 'bad_credentials' })
      expect('explanation' in denial && denial.explanation).to.include(words)
    })
  }

  it('gives a user his own rules, else the common ones', () => {
    const ada = connect(open({ users }), 'ada', 'secret')
    const bob = connect(open({ users }), 'bob', 'hidden')
    expect('acl' in ada && ada.acl.check('publish', 'x')).to.equal(true)
    expect('acl' in bob && bob.acl.check('publish', 'x')).to.equal(false)
  })

  it('lets anonymous clients in only where that is configured', () => {
    expect(connect(open({ anonymous: true, users }))).to.include({ username: '' })
    expect(connect(open({ anonymous: true, users }), '')).to.include({ username: '' })
  })

  it('does not take a wrong name for an anonymous client while there are users', () => {
    expect(connect(open({ anonymous: true, users }), 'mallory', 'x')).to.include({
      denied: 'bad_credentials',
    })
  })

  it('checks no name where nobody has one, and gives the unchecked name no rights', () => {
    const acl = [{ effect: 'allow', access: 'all', filter: 'u/%u/#' }] as const
    const principal = connect(open({ anonymous: true, acl }), 'mallory', 'x')
    expect(principal).to.include({ username: '' })
    expect('acl' in principal && principal.acl.check('publish', 'u/mallory/x')).to.equal(false)
  })

  it('has SCRAM verifiers of those whose password is known, the same one each time', async () => {
    const authenticator = open({ users })
    const verifier = await authenticator.scram('ada')
    expect(verifier?.storedKey).to.have.length(32)
    expect(await authenticator.scram('ada')).to.equal(verifier)
    expect(await authenticator.scram('bob')).to.equal(undefined)
    expect(await authenticator.scram('mallory')).to.equal(undefined)
    expect(await authenticator.scramPrincipal('ada', 'c1')).to.include({ username: 'ada' })
    expect(await authenticator.scramPrincipal('mallory', 'c1')).to.include({ denied: 'bad_credentials' })
  })

  it('refuses a configuration that names a user twice', () => {
    expect(() => open({ users: [...users, { username: 'ada', password: 'other' }] })).to.throw(
      RangeError,
      '"ada"',
    )
  })
})
