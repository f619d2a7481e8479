import { Writable } from 'node:stream'
import { expect } from 'chai'
import * as audit from '#platform/audit/tables.ts'
import * as identity from '#platform/identity/tables.ts'
import { createLogger } from '#platform/log.ts'
import * as registry from '#platform/registry/tables.ts'
import { StoreError } from '#platform/store/store.ts'
import type { AnyTable } from '#platform/store/table.ts'
import { adminToken, type Answer, expectProblem, startTestApi, type TestApi } from './fixture.ts'
import { linkToken, member, password, type Person, signIn } from './people.ts'

const anonymous = { authorization: null }

describe('REST: members of an organisation', () => {
  let api: TestApi
  let ann: Person
  beforeEach(async () => {
    api = await startTestApi()
    await member(api, 'ann@example.com', 'admin')
    ann = await signIn(api, 'ann@example.com')
  })
  afterEach(() => api.close())

  const accept = (body: object): Promise<Answer> =>
    api.ask('POST', '/v1/invitations/accept', { ...anonymous, body })

  it('are invited by mail, choose a password and are in', async () => {
    const invited = await ann.ask('POST', '/v1/invitations', { email: 'Bob@Example.com', role: 'operator' })
    expect(invited.status, invited.text).to.equal(201)
    expect(invited.body).to.include({ email: 'bob@example.com', role: 'operator', invited_by: ann.email })
    const token = linkToken(api, 'invitation')
    expect(invited.text).to.not.include(token)
    expectProblem(await accept({ token }), 400, 'invalid_field')
    expectProblem(await accept({ token, password: 'short' }), 400, 'invalid_field')
    const accepted = await accept({ token, password, name: 'Bob' })
    expect(accepted.body).to.include({ organisation: 'default', role: 'operator', existing: false })
    expectProblem(await accept({ token, password }), 400, 'token_invalid')
    const bob = await signIn(api, 'bob@example.com')
    expect((await bob.ask('GET', '/v1/me')).body.organisations).to.deep.equal([
      { id: 'default', name: 'default', role: 'operator', groups: null },
    ])
    expectProblem(await bob.ask('GET', '/v1/users'), 403, 'forbidden')
    const emails = (await ann.ask('GET', '/v1/users')).body.items.map((one: { email: string }) => one.email)
    expect(emails).to.have.members(['ann@example.com', 'bob@example.com'])
    expect((await ann.ask('GET', '/v1/invitations')).body.items).to.deep.equal([])
  })

  it('of another organisation are not told of: who invites cannot see that an address has an account', async () => {
    await api.ask('POST', '/v1/organisations', { body: { id: 'acme' } })
    await member(api, 'bob@example.com', 'admin', 'acme')
    const [known, unknown] = [
      await ann.ask('POST', '/v1/invitations', { email: 'bob@example.com' }),
      await ann.ask('POST', '/v1/invitations', { email: 'eve@example.com' }),
    ]
    expect(Object.keys(known.body)).to.deep.equal(Object.keys(unknown.body))
    expect([known.status, known.body.role]).to.deep.equal([unknown.status, 'viewer'])
  })

  it('may be in several organisations, with another role in each', async () => {
    await api.ask('POST', '/v1/organisations', { body: { id: 'acme' } })
    await member(api, 'bob@example.com', 'admin', 'acme')
    await ann.ask('POST', '/v1/invitations', { email: 'bob@example.com', role: 'viewer' })
    const accepted = await accept({ token: linkToken(api, 'invitation'), password: 'not looked at' })
    expect(accepted.body).to.include({ organisation: 'default', role: 'viewer', existing: true })
    const bob = await signIn(api, 'bob@example.com')
    const create = (org: string) => bob.ask('POST', `/v1/devices?organisation=${org}`, { name: 'x' })
    expect((await create('acme')).status).to.equal(201)
    expectProblem(await create('default'), 403, 'forbidden')
    expectProblem(await create('nope'), 404, 'organisation_not_found')
  })

  it('are invited until somebody takes it back, or for 7 days', async () => {
    const first = await ann.ask('POST', '/v1/invitations', { email: 'bob@example.com' })
    const token = linkToken(api, 'invitation')
    expect((await ann.ask('DELETE', `/v1/invitations/${first.body.id}`)).status).to.equal(204)
    expectProblem(await accept({ token, password }), 400, 'token_invalid')
    expectProblem(await ann.ask('DELETE', `/v1/invitations/${first.body.id}`), 404, 'invitation_not_found')
    await ann.ask('POST', '/v1/invitations', { email: 'bob@example.com' })
    api.platform.clock.time += 7 * 86_400_000
    expectProblem(await accept({ token: linkToken(api, 'invitation'), password }), 400, 'token_invalid')
  })

  it('have another role, or are out, at once', async () => {
    const id = await member(api, 'bob@example.com', 'developer')
    const bob = await signIn(api, 'bob@example.com')
    expect((await bob.ask('POST', '/v1/devices', { name: 'x' })).status).to.equal(201)
    const changed = await ann.ask('PATCH', `/v1/users/${id}`, { role: 'viewer' })
    expect(changed.body).to.include({ role: 'viewer', email: 'bob@example.com' })
    expectProblem(await bob.ask('POST', '/v1/devices', { name: 'y' }), 403, 'forbidden')
    expect((await ann.ask('DELETE', `/v1/users/${id}`)).status).to.equal(204)
    expectProblem(await bob.ask('GET', '/v1/devices'), 404, 'organisation_not_found')
    expect((await bob.ask('GET', '/v1/me')).body.organisations).to.deep.equal([])
    expectProblem(await ann.ask('GET', `/v1/users/${id}`), 404, 'user_not_found')
  })

  it('have a higher role for some hours, which ends by itself', async () => {
    const id = await member(api, 'bob@example.com', 'viewer')
    const bob = await signIn(api, 'bob@example.com')
    const create = async (name: string): Promise<number> =>
      (await bob.ask('POST', '/v1/devices', { name })).status
    const elevate = (elevation: object | null): Promise<Answer> =>
      ann.ask('PATCH', `/v1/users/${id}`, { elevation })
    expectProblem(await elevate({ role: 'admin', hours: 25 }), 400, 'invalid_request')
    const elevated = await elevate({ role: 'developer', hours: 0.2 })
    expect(elevated.body).to.include({ role: 'developer', standing_role: 'viewer' })
    expect(await create('x')).to.equal(201)
    api.platform.clock.time += 12 * 60_000
    expect(await create('y')).to.equal(403)
    expect((await ann.ask('GET', `/v1/users/${id}`)).body).to.include({
      role: 'viewer',
      elevated_until: null,
    })
    await elevate({ role: 'admin', hours: 1 })
    expect((await elevate(null)).body.role).to.equal('viewer')
    // Lent power does not keep the organisation: the last who has it for good stays.
    await elevate({ role: 'admin', hours: 1 })
    const again = await signIn(api, 'bob@example.com')
    expectProblem(await again.ask('DELETE', `/v1/users/${ann.id}`), 409, 'last_admin')
  })

  it('cannot keep a role that was lent to them, nor pass it on', async () => {
    const id = await member(api, 'bob@example.com', 'viewer')
    const bob = await signIn(api, 'bob@example.com')
    await ann.ask('PATCH', `/v1/users/${id}`, { elevation: { role: 'admin', hours: 1 } })
    expect((await bob.ask('GET', '/v1/users')).status).to.equal(200)
    const tried: [method: string, path: string, body?: object][] = [
      ['PATCH', `/v1/users/${id}`, { role: 'admin' }],
      ['PATCH', `/v1/users/${id}`, { elevation: { role: 'admin', hours: 24 } }],
      ['POST', '/v1/api-keys', { name: 'mine', role: 'admin' }],
      ['POST', '/v1/invitations', { email: 'eve@example.com', role: 'admin' }],
      ['POST', '/v1/organisations/default/token'],
    ]
    for (const [method, path, body] of tried)
      expectProblem(await bob.ask(method, path, body), 403, 'forbidden')
  })

  it('are listed from a cursor of ours only', async () => {
    const cursors = ['\ud800', 5, null, 'x'.repeat(65)].map((value) => JSON.stringify(value))
    for (const cursor of [...cursors, 'no JSON']) {
      const query = `cursor=${Buffer.from(cursor).toString('base64url')}`
      for (const list of ['users', 'api-keys', 'invitations', 'audit'])
        expectProblem(await ann.ask('GET', `/v1/${list}?${query}`), 400, 'invalid_request')
    }
  })

  it('keep an admin, so that nobody locks the organisation', async () => {
    expectProblem(await ann.ask('DELETE', `/v1/users/${ann.id}`), 409, 'last_admin')
    expectProblem(await ann.ask('PATCH', `/v1/users/${ann.id}`, { role: 'viewer' }), 409, 'last_admin')
    expectProblem(await ann.ask('PATCH', `/v1/users/${ann.id}`, { groups: ['g'] }), 409, 'last_admin')
    const id = await member(api, 'bob@example.com', 'admin')
    expect((await ann.ask('PATCH', `/v1/users/${ann.id}`, { role: 'viewer' })).status).to.equal(200)
    expectProblem(await api.ask('DELETE', `/v1/users/${id}`), 409, 'last_admin')
  })

  it('need most datacenters only where an address must be the only one', async () => {
    await ann.ask('POST', '/v1/invitations', { email: 'bob@example.com' })
    const token = linkToken(api, 'invitation')
    const putIf = api.platform.store.putIf.bind(api.platform.store)
    api.platform.store.putIf = () => Promise.reject(new StoreError('unavailable', 'no quorum of all DCs'))
    expectProblem(await accept({ token, password }), 503, 'store_unavailable')
    expect((await ann.ask('POST', '/v1/invitations', { email: 'eve@example.com' })).status).to.equal(201)
    const key = await ann.ask('POST', '/v1/api-keys', { name: 'ci', role: 'viewer' })
    expect(key.status).to.equal(201)
    expect((await ann.ask('DELETE', `/v1/api-keys/${key.body.id}`)).status).to.equal(204)
    api.platform.store.putIf = putIf
    expect((await accept({ token, password })).status).to.equal(200)
  })
})

describe('REST: API keys', () => {
  let api: TestApi
  beforeEach(async () => {
    api = await startTestApi()
  })
  afterEach(() => api.close())

  const make = async (body: object): Promise<{ id: string; secret: string; authorization: string }> => {
    const made = await api.ask('POST', '/v1/api-keys', { body: { name: 'ci', role: 'developer', ...body } })
    expect(made.status, made.text).to.equal(201)
    return { ...made.body, authorization: `Bearer ${made.body.secret}` }
  }

  it('are shown once, stored as a hash, and do what their role and scopes allow', async () => {
    const { id, secret, authorization } = await make({ scopes: ['devices:write'] })
    expect(secret).to.match(/^cq_[0-9a-f]{48}$/)
    expect((await api.ask('POST', '/v1/devices', { authorization, body: { name: 'x' } })).status).to.equal(
      201,
    )
    expectProblem(await api.ask('GET', '/v1/devices', { authorization }), 403, 'forbidden')
    expectProblem(await api.ask('GET', '/v1/users', { authorization }), 403, 'forbidden')
    for (const path of ['/v1/api-keys', `/v1/api-keys/${id}`])
      expect((await api.ask('GET', path)).text).to.not.include(secret)
    expect(await stored(api)).to.not.include(secret)
  })

  it('end when they expire', async () => {
    const expires = new Date(api.platform.clock.now() + 60_000).toISOString()
    const { id, authorization } = await make({ expires_at: expires })
    expect((await api.ask('GET', '/v1/devices', { authorization })).status).to.equal(200)
    api.platform.clock.time += 60_000
    expectProblem(await api.ask('GET', '/v1/devices', { authorization }), 401, 'unauthenticated')
    expect((await api.ask('GET', `/v1/api-keys/${id}`)).body.expired).to.equal(true)
    const past = { body: { name: 'ci', role: 'viewer', expires_at: expires } }
    expectProblem(await api.ask('POST', '/v1/api-keys', past), 400, 'invalid_field')
  })

  it('are refused when revoked, and within 5 s where no word of it came', async () => {
    const { id, authorization } = await make({})
    const lost = await make({})
    expect((await api.ask('GET', '/v1/devices', { authorization })).status).to.equal(200)
    expect((await api.ask('DELETE', `/v1/api-keys/${id}`)).status).to.equal(204)
    expectProblem(await api.ask('GET', '/v1/devices', { authorization }), 401, 'unauthenticated')
    expectProblem(await api.ask('GET', `/v1/api-keys/${id}`), 404, 'api_key_not_found')
    expectProblem(await api.ask('DELETE', `/v1/api-keys/${id}`), 404, 'api_key_not_found')
    // Another process revokes: its rows are in the store, its word is lost.
    expect((await api.ask('GET', '/v1/devices', lost)).status).to.equal(200)
    const other = await startTestApi()
    Object.assign(other.platform.store, { write: api.platform.store.write.bind(api.platform.store) })
    other.platform.store.get = api.platform.store.get.bind(api.platform.store)
    await other.platform.identity.apiKeys.revoke('default', lost.id)
    api.platform.clock.time += 5000
    expectProblem(await api.ask('GET', '/v1/devices', lost), 401, 'unauthenticated')
    await other.close()
  })

  it('show when they were last used, written at most once a minute', async () => {
    const { id, authorization } = await make({})
    const { store, clock, lanes } = api.platform
    let writes = 0
    const write = store.write.bind(store)
    store.write = (batch) => {
      writes += batch.mutations.filter(({ table }) => table.name === 'api_key_use').length
      return write(batch)
    }
    const lastUse = async (): Promise<string | null> => {
      await lanes.durable()
      return (await api.ask('GET', `/v1/api-keys/${id}`)).body.last_used_at
    }
    expect(await lastUse()).to.equal(null)
    const first = new Date(clock.now()).toISOString()
    for (let i = 0; i < 5; i++) await api.ask('GET', '/v1/devices', { authorization })
    clock.time += 59_000
    await api.ask('GET', '/v1/devices', { authorization })
    expect(await lastUse()).to.equal(first)
    expect(writes).to.equal(1)
    clock.time += 1000
    await api.ask('GET', '/v1/devices', { authorization })
    expect(await lastUse()).to.equal(new Date(clock.now()).toISOString())
  })

  it('that are limited cannot make themselves unlimited', async () => {
    const scoped = await make({ role: 'admin', scopes: ['*:read', '*:write'] })
    const expires = new Date(api.platform.clock.now() + 60_000).toISOString()
    const brief = await make({ role: 'admin', expires_at: expires })
    const member1 = await member(api, 'bob@example.com', 'viewer')
    const attempts: [string, string, object][] = [
      ['POST', '/v1/api-keys', { name: 'more', role: 'admin' }],
      ['POST', '/v1/invitations', { email: 'eve@example.com', role: 'admin' }],
      ['PATCH', `/v1/users/${member1}`, { role: 'admin' }],
      ['POST', '/v1/organisations/default/token', {}],
    ]
    for (const { authorization } of [scoped, brief]) {
      for (const [method, path, body] of attempts) {
        const sent = path.endsWith('/token') ? {} : { body }
        expectProblem(await api.ask(method, path, { authorization, ...sent }), 403, 'forbidden')
      }
    }
    expectProblem(
      await api.ask('POST', '/v1/organisations', { ...scoped, body: { id: 'x' } }),
      403,
      'forbidden',
    )
  })

  it('are refused with what is missing, and with how a time is written', async () => {
    const { body } = await api.ask('POST', '/v1/api-keys', { body: { name: 'ci', expires_at: 'never' } })
    expect(body.errors).to.deep.include.members([
      { field: 'body.expires_at', message: 'must be a time like 2026-11-21T12:00:00Z' },
    ])
    const { body: empty } = await api.ask('POST', '/v1/api-keys', { body: { role: 'viewer' } })
    expect(empty.errors).to.deep.equal([{ field: 'body.name', message: 'is missing' }])
  })

  it('refuse scopes that mean nothing', async () => {
    for (const scopes of [[], ['devices'], ['devices:delete'], ['*'], ['Devices:read']]) {
      const body = { name: 'ci', role: 'viewer', scopes }
      expectProblem(await api.ask('POST', '/v1/api-keys', { body }), 400, 'invalid_request')
    }
  })
})

describe('REST: an organisation and what is of another', () => {
  it('is nothing, for tokens, keys and people alike', async () => {
    const api = await startTestApi()
    const made = await api.ask('POST', '/v1/organisations', { body: { id: 'acme' } })
    const admin = await member(api, 'ann@example.com', 'admin')
    await member(api, 'bob@example.com', 'admin', 'acme')
    const key = await api.ask('POST', '/v1/api-keys', { body: { name: 'ci', role: 'admin' } })
    await api.ask('POST', '/v1/invitations', { body: { email: 'eve@example.com' } })
    const [invitation] = (await api.ask('GET', '/v1/invitations')).body.items
    const theirKey = await api.ask('POST', '/v1/api-keys?organisation=acme', {
      body: { name: 'their own', role: 'admin' },
    })
    const bob = await signIn(api, 'bob@example.com')
    const theirs = [`Bearer ${made.body.token}`, `Bearer ${theirKey.body.secret}`, `Bearer ${bob.access}`]
    const things: [string, string, string][] = [
      ['GET', `/v1/users/${admin}`, 'user_not_found'],
      ['PATCH', `/v1/users/${admin}`, 'user_not_found'],
      ['DELETE', `/v1/users/${admin}`, 'user_not_found'],
      ['GET', `/v1/api-keys/${key.body.id}`, 'api_key_not_found'],
      ['DELETE', `/v1/api-keys/${key.body.id}`, 'api_key_not_found'],
      ['DELETE', `/v1/invitations/${invitation.id}`, 'invitation_not_found'],
      ['GET', '/v1/users?organisation=default', 'organisation_not_found'],
      ['GET', '/v1/api-keys?organisation=default', 'organisation_not_found'],
      ['GET', '/v1/invitations?organisation=default', 'organisation_not_found'],
      ['GET', '/v1/audit?organisation=default', 'organisation_not_found'],
      ['GET', '/v1/audit/export?organisation=default', 'organisation_not_found'],
      ['GET', '/v1/organisations/default', 'organisation_not_found'],
      ['PATCH', '/v1/organisations/default', 'organisation_not_found'],
    ]
    for (const authorization of theirs) {
      for (const [method, path, code] of things) {
        const body = method === 'PATCH' ? { body: path.includes('users') ? { role: 'viewer' } : {} } : {}
        expectProblem(await api.ask(method, path, { authorization, ...body }), 404, code)
      }
      expectProblem(await api.ask('GET', '/v1/audit?space=platform', { authorization }), 403, 'forbidden')
      const lists = await Promise.all(
        ['/v1/users', '/v1/api-keys', '/v1/invitations', '/v1/audit'].map((path) =>
          api.ask('GET', path, { authorization }),
        ),
      )
      for (const { status, text } of lists) {
        expect(status).to.equal(200)
        for (const own of ['ann@example.com', 'eve@example.com']) expect(text).to.not.include(own)
      }
    }
    await api.close()
  })
})

describe('REST: the first administrator', () => {
  let api: TestApi
  beforeEach(async () => {
    api = await startTestApi()
  })
  afterEach(() => api.close())

  const setUp = (token: string | null, email = 'ann@example.com', secret = password): Promise<Answer> =>
    api.ask('POST', '/v1/setup', { ...anonymous, body: { token, email, password: secret } })

  it('is made by the link, once, and administers the platform', async () => {
    const { setup } = api.platform.identity
    const [token, other] = [await setup.issue(), await setup.issue()]
    expectProblem(await setUp(token, 'no address'), 400, 'invalid_field')
    expectProblem(await setUp(token, 'ann@example.com', 'short'), 400, 'invalid_field')
    const made = await setUp(token)
    expect([made.status, made.body.organisation]).to.deep.equal([201, 'default'])
    expectProblem(await setUp(token, 'eve@example.com'), 400, 'token_invalid')
    expectProblem(await setUp(other, 'eve@example.com'), 409, 'setup_done')
    expect(await setup.issue()).to.equal(null)
    const ann = await signIn(api, 'ann@example.com')
    expect((await ann.ask('POST', '/v1/organisations', { id: 'acme' })).status).to.equal(201)
    expect((await ann.ask('POST', '/v1/devices?organisation=acme', { name: 'x' })).status).to.equal(201)
    expect((await ann.ask('GET', '/v1/users')).status).to.equal(200)
  })

  it('makes others administrators, and ends it at once', async () => {
    await setUp(await api.platform.identity.setup.issue())
    const id = await member(api, 'bob@example.com', 'viewer')
    const bob = await signIn(api, 'bob@example.com')
    const ann = await signIn(api, 'ann@example.com')
    expectProblem(await bob.ask('GET', '/v1/administrators'), 403, 'forbidden')
    expectProblem(await bob.ask('PUT', `/v1/administrators/${id}`), 403, 'forbidden')
    expectProblem(await ann.ask('PUT', '/v1/administrators/nobody'), 404, 'user_not_found')
    expect((await ann.ask('PUT', `/v1/administrators/${id}`)).body).to.include({ email: 'bob@example.com' })
    const { items } = (await bob.ask('GET', '/v1/administrators')).body
    expect(items.map(({ email }: { email: string }) => email)).to.have.members([
      'ann@example.com',
      'bob@example.com',
    ])
    expect((await ann.ask('PATCH', '/v1/me', { name: 'Ann' })).body.platform).to.equal(true)
    expect((await bob.ask('DELETE', `/v1/administrators/${id}`)).status).to.equal(204)
    expectProblem(await bob.ask('GET', '/v1/administrators'), 403, 'forbidden')
    expectProblem(await ann.ask('DELETE', `/v1/administrators/${id}`), 404, 'user_not_found')
    expect((await ann.ask('GET', '/v1/administrators')).body.items).to.have.length(1)
    const operations = (await ann.ask('GET', '/v1/audit?space=platform')).body.items.map(
      ({ operation, outcome }: { operation: string; outcome: string }) => `${operation} ${outcome}`,
    )
    expect(operations).to.include.members(['putAdministrator done', 'putAdministrator denied'])
  })

  it('has half an hour, and cannot be made without the link', async () => {
    const token = await api.platform.identity.setup.issue()
    expectProblem(await setUp('s_0123456789abcdef0123456789abcdef01234567'), 400, 'token_invalid')
    api.platform.clock.time += 30 * 60_000
    expectProblem(await setUp(token), 400, 'token_invalid')
  })

  it('is one, when two come at a time', async () => {
    const { setup } = api.platform.identity
    const [a, b] = [await setup.issue(), await setup.issue()]
    const both = await Promise.all([setUp(a), setUp(b, 'eve@example.com')])
    expect(both.map(({ status }) => status)).to.have.members([201, 409])
  })
})

describe('REST: secrets', () => {
  it('are never in a log, in the audit or in another answer', async () => {
    const lines: string[] = []
    const destination = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        lines.push(chunk.toString())
        done()
      },
    })
    const api = await startTestApi({ log: createLogger({ level: 'trace', destination }) })
    const secrets: string[] = [adminToken, password, 'wrong password 1', 'a fresh password']
    const answers: string[] = []
    const say = async (
      method: string,
      path: string,
      options: Parameters<TestApi['ask']>[2] = {},
    ): Promise<Answer> => {
      const answer = await api.ask(method, path, options)
      answers.push(answer.text)
      return answer
    }
    const keep = ({ body }: Answer, ...names: string[]): void => {
      for (const name of names) secrets.push(body[name])
      answers.pop()
    }
    keep(await say('POST', '/v1/organisations', { body: { id: 'acme' } }), 'token')
    keep(await say('POST', '/v1/organisations/acme/token'), 'token')
    keep(await say('POST', '/v1/devices', { body: { name: 'd' } }), 'key')
    const key = await say('POST', '/v1/api-keys', { body: { name: 'ci', role: 'admin' } })
    keep(key, 'secret')
    await member(api, 'ann@example.com', 'admin')
    await say('POST', '/v1/sessions', {
      ...anonymous,
      body: { email: 'ann@example.com', password: 'wrong password 1' },
    })
    const signedIn = await say('POST', '/v1/sessions', {
      ...anonymous,
      body: { email: 'ann@example.com', password },
    })
    keep(signedIn, 'access_token', 'refresh_token')
    const refreshed = await say('POST', '/v1/sessions/refresh', {
      ...anonymous,
      body: { refresh_token: signedIn.body.refresh_token },
    })
    keep(refreshed, 'access_token', 'refresh_token')
    const authorization = `Bearer ${refreshed.body.access_token}`
    await say('POST', '/v1/me/password', {
      authorization,
      body: { current_password: password, password: 'a fresh password' },
    })
    await say('GET', '/v1/me', { authorization })
    await say('GET', '/v1/devices', { authorization: `Bearer ${key.body.secret}x` })
    await say('POST', '/v1/setup', {
      ...anonymous,
      body: { token: key.body.secret, email: 'a@b.c', password },
    })
    for (const path of [
      '/v1/api-keys',
      '/v1/users',
      '/v1/devices',
      '/v1/audit?limit=1000',
      '/v1/audit?space=platform',
      '/v1/audit/export',
      '/metrics',
    ])
      await say('GET', path)
    const kept = await stored(api)
    const logged = [...lines, ...api.platform.lines].join('\n')
    expect(secrets.length).to.equal(12)
    expect(logged).to.not.equal('')
    for (const secret of secrets) {
      expect(secret).to.be.a('string')
      expect(logged, 'a log').to.not.include(secret)
      expect(answers.join('\n'), 'an answer').to.not.include(secret)
      expect(kept, 'the store').to.not.include(secret)
    }
    expect(kept).to.include('ann@example.com')
    await api.close()
  })
})

const tables = [audit, identity, registry]
  .flatMap((module): unknown[] => Object.values(module))
  .filter((one): one is AnyTable => typeof one === 'object' && one !== null && 'partition' in one)

/** All that the store holds, as text. */
async function stored({ platform }: TestApi): Promise<string> {
  const scans = await Promise.all(tables.map((table) => platform.store.scan(table, null, 10_000)))
  return JSON.stringify(scans.map(({ rows }) => rows))
}
