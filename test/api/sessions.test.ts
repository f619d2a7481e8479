import { expect } from 'chai'
import { userAccount, userByEmail, userPassword, userSession } from '#platform/identity/tables.ts'
import { StoreError } from '#platform/store/store.ts'
import { openTestPlatform } from '../platform/telemetry/fixture.ts'
import { expectProblem, startTestApi, type TestApi } from './fixture.ts'
import { linkToken, member, password, signIn } from './people.ts'

const minuteMs = 60_000

describe('REST: people sign in', () => {
  let api: TestApi
  beforeEach(async () => {
    api = await startTestApi()
  })
  afterEach(() => api.close())

  const refresh = (token: string) =>
    api.ask('POST', '/v1/sessions/refresh', { authorization: null, body: { refresh_token: token } })
  const attempt = (email: string, secret: string) =>
    api.ask('POST', '/v1/sessions', { authorization: null, body: { email, password: secret } })

  it('gives what the role may, for a quarter of an hour', async () => {
    await member(api, 'Ann@Example.com ', 'viewer')
    const ann = await signIn(api, 'ann@example.COM')
    expect((await ann.ask('GET', '/v1/devices')).status).to.equal(200)
    expectProblem(await ann.ask('POST', '/v1/devices', { name: 'x' }), 403, 'forbidden')
    api.platform.clock.time += 15 * minuteMs + 1000
    expectProblem(await ann.ask('GET', '/v1/devices'), 401, 'unauthenticated')
  })

  it('does not tell whether an address has an account', async () => {
    await member(api, 'ann@example.com', 'viewer')
    const known = await attempt('ann@example.com', 'wrong password')
    const unknown = await attempt('bob@example.com', 'wrong password')
    for (const answer of [known, unknown]) expectProblem(answer, 401, 'wrong_credentials')
    expect({ ...known.body, request_id: '' }).to.deep.equal({ ...unknown.body, request_id: '' })
  })

  it('does as much work for an address that nobody has', async () => {
    await member(api, 'ann@example.com', 'viewer')
    const { store } = api.platform
    const reads: string[] = []
    const get = store.get.bind(store)
    const range = store.range.bind(store)
    store.get = (table, key) => {
      reads.push(table.name)
      return get(table, key)
    }
    store.range = (table, partition, bounds) => {
      reads.push(table.name)
      return range(table, partition, bounds)
    }
    const readsOf = async (email: string): Promise<string[]> => {
      reads.length = 0
      await attempt(email, 'wrong password')
      return reads.toSorted()
    }
    const known = await readsOf('ann@example.com')
    expect(await readsOf('bob@example.com')).to.deep.equal(known)
    expect(known).to.include('user_password')
  })

  it('stops guessing, for known and unknown addresses alike, and lets the owner in later', async () => {
    await member(api, 'ann@example.com', 'viewer')
    for (const email of ['ann@example.com', 'bob@example.com']) {
      const statuses: number[] = []
      for (let i = 0; i < 11; i++) statuses.push((await attempt(email, `wrong ${i}`)).status)
      expect(statuses).to.deep.equal([...Array.from({ length: 10 }, () => 401), 429])
    }
    const refused = await attempt('ann@example.com', password)
    expectProblem(refused, 429, 'too_many_attempts')
    expect(Number(refused.headers.get('retry-after'))).to.be.within(1, 900)
    api.platform.clock.time += 15 * minuteMs
    await signIn(api, 'ann@example.com')
  }).timeout(60_000)

  it('goes on with a refresh token, which is good once', async () => {
    await member(api, 'ann@example.com', 'viewer')
    const ann = await signIn(api, 'ann@example.com')
    api.platform.clock.time += 20 * minuteMs
    const fresh = await refresh(ann.refresh)
    expect(fresh.status).to.equal(200)
    expect(fresh.body.session).to.equal(ann.session)
    const authorization = `Bearer ${fresh.body.access_token}`
    expect((await api.ask('GET', '/v1/devices', { authorization })).status).to.equal(200)
  })

  it('takes a refresh token twice in a moment: an answer that was lost must not sign anybody out', async () => {
    await member(api, 'ann@example.com', 'viewer')
    const ann = await signIn(api, 'ann@example.com')
    const both = await Promise.all([refresh(ann.refresh), refresh(ann.refresh)])
    expect(both.map(({ status }) => status)).to.deep.equal([200, 200])
    for (const { body } of both) expect((await refresh(body.refresh_token)).status).to.equal(200)
  })

  it('ends the session when a refresh token comes again: somebody has a copy of it', async () => {
    const id = await member(api, 'ann@example.com', 'admin')
    const ann = await signIn(api, 'ann@example.com')
    const fresh = await refresh(ann.refresh)
    api.platform.clock.time += minuteMs
    expectProblem(await refresh(ann.refresh), 401, 'unauthenticated')
    expectProblem(await refresh(fresh.body.refresh_token), 401, 'unauthenticated')
    const authorization = `Bearer ${fresh.body.access_token}`
    expectProblem(await api.ask('GET', '/v1/devices', { authorization }), 401, 'unauthenticated')
    const seen = await api.ask('GET', '/v1/audit?operation=refreshSession')
    expect(seen.body.items[0]).to.deep.include({ outcome: 'denied', problem: 'refresh_reused' })
    expect(seen.body.items[0].actor.id).to.equal(id)
  })

  it('lists own sessions and ends them; a token of an ended one is refused at once', async () => {
    await member(api, 'ann@example.com', 'viewer')
    const laptop = await signIn(api, 'ann@example.com')
    api.platform.clock.time += 1000
    const phone = await signIn(api, 'ann@example.com')
    const { items } = (await phone.ask('GET', '/v1/sessions')).body
    expect(items.map((one: { id: string; current: boolean }) => [one.id, one.current])).to.deep.equal([
      [phone.session, true],
      [laptop.session, false],
    ])
    expect((await phone.ask('DELETE', `/v1/sessions/${laptop.session}`)).status).to.equal(204)
    expectProblem(await laptop.ask('GET', '/v1/devices'), 401, 'unauthenticated')
    expectProblem(await refresh(laptop.refresh), 401, 'unauthenticated')
    expect((await phone.ask('DELETE', '/v1/sessions/current')).status).to.equal(204)
    expectProblem(await phone.ask('GET', '/v1/me'), 401, 'unauthenticated')
  })

  it("cannot end or see another person's session", async () => {
    await member(api, 'ann@example.com', 'admin')
    await member(api, 'bob@example.com', 'admin')
    const ann = await signIn(api, 'ann@example.com')
    const bob = await signIn(api, 'bob@example.com')
    expectProblem(await bob.ask('DELETE', `/v1/sessions/${ann.session}`), 404, 'session_not_found')
    expect((await bob.ask('GET', '/v1/sessions')).body.items).to.have.length(1)
    expect((await ann.ask('GET', '/v1/me')).status).to.equal(200)
  })

  it('takes no token that was changed, signed by another key or not at all', async () => {
    await member(api, 'ann@example.com', 'viewer')
    const { access } = await signIn(api, 'ann@example.com')
    const [header, payload, signature] = access.split('.')
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
    const forged = [
      `${header}.${part({ ...claims, sub: 'someone else' })}.${signature}`,
      `${header}.${part({ ...claims, exp: 9_999_999_999 })}.${signature}`,
      `${part({ alg: 'none', typ: 'at+jwt' })}.${payload}.`,
      `${part({ alg: 'none', typ: 'at+jwt' })}.${payload}.x`,
      `${part({ alg: 'HS256', typ: 'at+jwt', kid: 'x' })}.${payload}.${signature}`,
      `${part({ alg: 'EdDSA', typ: 'at+jwt', kid: '../../etc' })}.${payload}.${signature}`,
      `${header}.${payload}.${Buffer.alloc(64).toString('base64url')}`,
      'eyJh.e.s',
    ]
    for (const token of forged) {
      const answer = await api.ask('GET', '/v1/devices', { authorization: `Bearer ${token}` })
      expectProblem(answer, 401, 'unauthenticated')
    }
  })

  it('changes the own password, which ends all other sessions', async () => {
    await member(api, 'ann@example.com', 'viewer')
    const laptop = await signIn(api, 'ann@example.com')
    const phone = await signIn(api, 'ann@example.com')
    const change = (current: string, next: string) =>
      phone.ask('POST', '/v1/me/password', { current_password: current, password: next })
    expectProblem(await change('wrong password', 'another good one'), 400, 'invalid_field')
    expectProblem(await change(password, 'short'), 400, 'invalid_field')
    expectProblem(await change(password, 'aaaaaaaaaaaaaaa'), 400, 'invalid_field')
    expect((await change(password, 'another good one')).status).to.equal(204)
    expect((await phone.ask('GET', '/v1/me')).status).to.equal(200)
    expectProblem(await laptop.ask('GET', '/v1/me'), 401, 'unauthenticated')
    expectProblem(await refresh(laptop.refresh), 401, 'unauthenticated')
    expect((await phone.ask('GET', '/v1/sessions')).body.items).to.have.length(1)
    expectProblem(await attempt('ann@example.com', password), 401, 'wrong_credentials')
    await signIn(api, 'ann@example.com', 'another good one')
  })

  it('shows a person all that is kept of him', async () => {
    const id = await member(api, 'ann@example.com', 'viewer')
    const ann = await signIn(api, 'ann@example.com')
    const { body } = await ann.ask('GET', '/v1/me/export')
    expect(body).to.include({ id, email: 'ann@example.com', session: ann.session })
    expect(body.password_changed_at).to.be.a('string')
    expect(body.sessions.map((one: { id: string }) => one.id)).to.deep.equal([ann.session])
  })

  it('erases the own account: nothing of the person is left but what the audit says', async () => {
    const id = await member(api, 'ann@example.com', 'admin')
    const ann = await signIn(api, 'ann@example.com')
    const erase = (secret: string) => ann.ask('POST', '/v1/me/erase', { current_password: secret })
    expectProblem(await erase('wrong password'), 400, 'invalid_field')
    expectProblem(await erase(password), 409, 'last_admin')
    await member(api, 'bob@example.com', 'admin')
    expect((await erase(password)).status).to.equal(204)
    expectProblem(await ann.ask('GET', '/v1/me'), 401, 'unauthenticated')
    expectProblem(await refresh(ann.refresh), 401, 'unauthenticated')
    expectProblem(await attempt('ann@example.com', password), 401, 'wrong_credentials')
    for (const table of [userAccount, userPassword, userByEmail, userSession]) {
      const { rows } = await api.platform.store.scan(table, null, 100)
      expect(JSON.stringify(rows), table.name).to.not.include(id).and.not.include('ann@example.com')
    }
    const { items } = (await api.ask('GET', '/v1/users')).body
    expect(items).to.have.length(1)
    expect(await member(api, 'ann@example.com', 'viewer')).to.not.equal(id)
  })

  describe('a forgotten password', () => {
    const ask = (email: string) =>
      api.ask('POST', '/v1/password-resets', { authorization: null, body: { email } })
    const confirm = (token: string, secret: string) =>
      api.ask('POST', '/v1/password-resets/confirm', {
        authorization: null,
        body: { token, password: secret },
      })

    it('is set anew by a link, once, and every session ends', async () => {
      await member(api, 'ann@example.com', 'viewer')
      const ann = await signIn(api, 'ann@example.com')
      expect((await ask('ann@example.com')).status).to.equal(202)
      const token = linkToken(api, 'reset')
      expectProblem(await confirm(token, 'short'), 400, 'invalid_field')
      expect((await confirm(token, 'a fresh password')).status).to.equal(204)
      expectProblem(await confirm(token, 'yet another one'), 400, 'token_invalid')
      expectProblem(await ann.ask('GET', '/v1/me'), 401, 'unauthenticated')
      await signIn(api, 'ann@example.com', 'a fresh password')
    })

    it('has a link for an hour', async () => {
      await member(api, 'ann@example.com', 'viewer')
      await ask('ann@example.com')
      api.platform.clock.time += 61 * minuteMs
      expectProblem(await confirm(linkToken(api, 'reset'), 'a fresh password'), 400, 'token_invalid')
    })

    it('is answered the same for an address that nobody has, and sends nothing', async () => {
      await member(api, 'ann@example.com', 'viewer')
      const [known, unknown] = [await ask('ann@example.com'), await ask('bob@example.com')]
      expect(unknown.text).to.equal(known.text)
      const sent = api.platform.lines.filter((line) => line.includes('identity.link'))
      expect(sent).to.have.length(1)
    })

    it('is not asked for again and again: mail boxes must not be filled', async () => {
      const statuses: number[] = []
      for (let i = 0; i < 6; i++) statuses.push((await ask('bob@example.com')).status)
      expect(statuses).to.deep.equal([202, 202, 202, 202, 202, 429])
    })
  })

  it('works in a datacenter that is alone: nothing of it must be unique', async () => {
    await member(api, 'ann@example.com', 'viewer')
    api.platform.store.putIf = () => Promise.reject(new StoreError('unavailable', 'no quorum of all DCs'))
    const ann = await signIn(api, 'ann@example.com')
    expect((await refresh(ann.refresh)).status).to.equal(200)
    expect((await ann.ask('PATCH', '/v1/me', { name: 'Ann' })).body.name).to.equal('Ann')
    const next = { current_password: password, password: 'another good one' }
    expect((await ann.ask('POST', '/v1/me/password', next)).status).to.equal(204)
    expect((await ann.ask('DELETE', '/v1/sessions/current')).status).to.equal(204)
  })

  it('does not wait for other datacenters because an organisation of the person does (durability geo)', async () => {
    const platform = await openTestPlatform({ durability: (org) => (org === 'acme' ? 'geo' : 'local') })
    const own = await startTestApi({ platform, durableTimeout: 5000 })
    await platform.registry.organisations.create({ id: 'acme' })
    const user = await platform.identity.users.create({ email: 'ann@example.com', password })
    await platform.identity.memberships.put('acme', user.id, { role: 'admin', groups: null })
    const write = platform.store.write.bind(platform.store)
    platform.store.write = (batch) =>
      JSON.stringify(batch.mutations).includes('"org":"acme"')
        ? Promise.reject(new StoreError('unavailable', 'no quorum of all DCs'))
        : write(batch)
    const body = { email: 'ann@example.com', password }
    const signedIn = await own.ask('POST', '/v1/sessions', { authorization: null, body })
    expect(signedIn.status, signedIn.text).to.equal(201)
    const authorization = `Bearer ${signedIn.body.access_token}`
    expectProblem(
      await own.ask('POST', '/v1/devices', { authorization, body: { name: 'x' } }),
      503,
      'store_unavailable',
    )
    expect((await own.ask('DELETE', '/v1/sessions/current', { authorization })).status).to.equal(204)
    platform.store.write = write
    await platform.lanes.durable()
    const recorded = await own.ask('GET', '/v1/audit?organisation=acme')
    expect(recorded.body.items.map(({ operation }: { operation: string }) => operation)).to.include.members([
      'signIn',
      'deleteSession',
    ])
    await own.close()
    await platform.close()
  })
})
