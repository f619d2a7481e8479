import { expect } from 'chai'
import { Outbox } from '#platform/outbox/outbox.ts'
import { PlatformError } from '#platform/errors.ts'
import { Identity } from '#platform/identity/identity.ts'
import { Passwords } from '#platform/identity/passwords.ts'
import { membership, signingKey, userSession } from '#platform/identity/tables.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { Batch } from '#platform/store/store.ts'
import { openTestPlatform, type TestPlatform } from '../telemetry/fixture.ts'

const password = 'correct horse battery'
const from = { address: '192.0.2.1', agent: 'test' }
const dayMs = 86_400_000

describe('Passwords', () => {
  it('are kept as Argon2id with 19 MiB, two passes and a salt of their own', async () => {
    const passwords = new Passwords()
    const [one, two] = await Promise.all([passwords.hash(password), passwords.hash(password)])
    expect(one).to.match(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/)
    expect(one).to.not.equal(two)
    expect(await passwords.verify(password, one)).to.equal(true)
    expect(await passwords.verify('another', one)).to.equal(false)
    expect(await passwords.verify(password, undefined)).to.equal(false)
  })

  it('are the same however a keyboard composes a letter', async () => {
    const passwords = new Passwords()
    const stored = await passwords.hash('jelsz\u00f3 hossz\u00fa')
    expect(await passwords.verify('jelszo\u0301 hosszu\u0301', stored)).to.equal(true)
  })

  it('are not looked at by more than can wait: who comes too late is told so, at once', async () => {
    const passwords = new Passwords()
    const all = await Promise.allSettled(
      Array.from({ length: 70 }, () => passwords.verify(password, undefined)),
    )
    const refused = all.filter(({ status }) => status === 'rejected')
    expect(refused).to.have.length(4)
    for (const one of refused)
      expect(one.status === 'rejected' && one.reason instanceof PlatformError && one.reason.code).to.equal(
        'overloaded',
      )
    expect(await passwords.verify(password, undefined)).to.equal(false)
  })
})

describe('Identity', () => {
  let platform: TestPlatform
  beforeEach(async () => {
    platform = await openTestPlatform()
  })
  afterEach(() => platform.close())

  /** Another process on the same store, which hears nothing of the first. */
  function another(store = platform.store): Identity {
    const { lanes, clock } = platform
    const log = { info() {}, warn() {}, error() {} } as never
    return new Identity({ store, lanes, clock, outbox: new Outbox(store, clock), log })
  }

  async function person(identity = platform.identity, email = 'ann@example.com') {
    const { id } = await identity.users.create({ email, password })
    const epoch = (await identity.users.epochOf(id)) ?? ''
    return { id, epoch, begin: () => identity.sessions.begin(id, epoch, from) }
  }

  it('lets a token of one process in at another, and refuses it within 5 s of its end without a word', async () => {
    const { id, begin } = await person()
    const { access, session } = await begin()
    const other = another()
    expect((await other.signedIn(access))?.user.id).to.equal(id)
    await platform.identity.sessions.end(id, session, 'revoked')
    platform.clock.time += 5000
    expect(await other.signedIn(access)).to.equal(undefined)
  })

  it('keeps a session ended whatever a process writes later that has not heard of it', async () => {
    const { id, begin } = await person()
    const { session } = await begin()
    await platform.identity.sessions.end(id, session, 'revoked')
    const late = new Batch()
    const row = {
      user: id,
      session,
      at: platform.clock.now() + 5000,
      stamp: (platform.clock.now() + 5000) * 1024,
    }
    late.put(userSession, { ...row, part: 'used' })
    await platform.store.write(late)
    expect(await another().sessions.state(id, session)).to.equal(undefined)
    expect(await another().sessionsOf(id)).to.deep.equal([])
  })

  it('ends sessions begun with the old password in another datacenter at the same time', async () => {
    const { id, begin } = await person()
    const user = await platform.identity.users.find(id)
    if (user === undefined) throw new Error('no user')
    const racing = begin()
    await platform.identity.setPassword(user, 'a fresh password')
    const { access, refresh } = await racing
    const old = await begin()
    for (const { access: token } of [{ access }, old])
      expect(await another().signedIn(token)).to.equal(undefined)
    const refused = await platform.identity.refresh(refresh, from).catch((error: PlatformError) => error.code)
    expect(refused).to.equal('unauthenticated')
  })

  it('ends a session that nobody refreshes for 30 days, and any after 90', async () => {
    const { id, begin } = await person()
    const idle = await begin()
    platform.clock.time += 30 * dayMs
    const refused = (token: string): Promise<unknown> =>
      platform.identity.refresh(token, from).then(
        () => 'refreshed',
        (error: PlatformError) => error.code,
      )
    expect(await refused(idle.refresh)).to.equal('unauthenticated')
    let { refresh } = await begin()
    for (let day = 20; day < 90; day += 20) {
      platform.clock.time += 20 * dayMs
      ;({ refresh } = await platform.identity.refresh(refresh, from))
    }
    platform.clock.time += 10 * dayMs
    expect(await refused(refresh)).to.equal('unauthenticated')
    expect(await platform.identity.sessionsOf(id)).to.deep.equal([])
  })

  it('signs with one key for 30 days; a new one signs when all can know it, the old one goes on verifying', async () => {
    const { begin } = await person()
    const kidOf = async (): Promise<string> => {
      const { access } = await begin()
      return (JSON.parse(Buffer.from(access.split('.')[0], 'base64url').toString()) as { kid: string }).kid
    }
    const first = await kidOf()
    platform.clock.time += 29 * dayMs
    expect(await kidOf()).to.equal(first)
    platform.clock.time += 2 * dayMs
    const other = another()
    const { access } = await begin()
    expect(await kidOf(), 'not before others know it').to.equal(first)
    platform.clock.time += 61_000
    expect(await kidOf()).to.not.equal(first)
    expect(await other.signedIn(access)).to.not.equal(undefined)
    const { rows } = await platform.store.scan(signingKey, null, 10)
    expect(rows).to.have.length(2)
  })

  it('agrees on keys that two processes of a new cell make at the same time', async () => {
    const { id, epoch } = await person()
    const [a, b] = [another(), another()]
    const [one, two] = await Promise.all([
      a.sessions.begin(id, epoch, from),
      b.sessions.begin(id, epoch, from),
    ])
    platform.clock.time += 2000
    for (const identity of [a, b, another()])
      for (const { access } of [one, two]) expect((await identity.signedIn(access))?.user.id).to.equal(id)
  })

  it('has each address once, also when two take it at a time; a creation that died frees it in a minute', async () => {
    const create = (identity: Identity): Promise<string> =>
      identity.users.create({ email: 'Ann@example.com', password }).then(
        () => 'made',
        (error: PlatformError) => error.code,
      )
    const both = await Promise.all([create(platform.identity), create(another())])
    expect(both.toSorted()).to.deep.equal(['email_taken', 'made'])
    const write = platform.store.write.bind(platform.store)
    platform.store.write = () => Promise.reject(new Error('killed'))
    const bob = { email: 'bob@example.com', password }
    await platform.identity.users.create(bob).catch(() => undefined)
    platform.store.write = write
    const again = (): Promise<string> =>
      platform.identity.users.create(bob).then(
        () => 'made',
        (error: PlatformError) => error.code,
      )
    expect(await again()).to.equal('email_taken')
    platform.clock.time += 61_000
    expect(await again()).to.equal('made')
  })

  it('refuses what is no address', async () => {
    for (const email of [
      '',
      'ann',
      'ann@',
      '@example.com',
      'a b@c.d',
      'a@b@c.d',
      'a@b.c\r\nBcc: x@y.z',
      'x'.repeat(300),
      '"a"@b.c',
      'a,b@c.d',
    ]) {
      const refused = await platform.identity.users
        .create({ email, password })
        .catch((error: PlatformError) => [error.code, error.field])
      expect(refused, email).to.deep.equal(['invalid_field', 'email'])
    }
  })

  it('forgets an erased person, whose address is free again', async () => {
    const { id, begin } = await person()
    const { access } = await begin()
    const user = await platform.identity.users.find(id)
    if (user === undefined) throw new Error('no user')
    await platform.identity.erase(user)
    expect(await platform.identity.signedIn(access)).to.equal(undefined)
    await person()
  })

  it('makes nobody an administrator again who only changes his name where that was not heard', async () => {
    const { users } = platform.identity
    const made = await users.create({ email: 'ann@example.com', password, platform: true })
    await users.setPlatform(made, false)
    await users.rename(made, 'Ann')
    expect(await users.find(made.id)).to.include({ name: 'Ann', platform: false })
    expect(await users.administrators()).to.deep.equal([])
  })

  it('does not take an older role for a newer one, whichever comes last', async () => {
    const { id } = await person()
    const { memberships } = platform.identity
    await memberships.put('default', id, { role: 'admin', groups: ['g'] })
    const store = new MemoryStore({ clock: platform.clock })
    const late = another(store)
    platform.clock.time -= 1000
    await late.memberships.put('default', id, { role: 'viewer', groups: null })
    const { rows } = await store.scan(membership, null, 10)
    const batch = new Batch()
    for (const row of rows) batch.put(membership, row)
    await platform.store.write(batch)
    expect(await memberships.find('default', id)).to.include({ role: 'admin' })
  })
})
