import { expect } from 'chai'
import { isAudited } from '#api/audit.ts'
import { roles } from '#platform/identity/roles.ts'
import { StoreError } from '#platform/store/store.ts'
import { expectProblem, startTestApi, type TestApi } from './fixture.ts'
import { member, signIn } from './people.ts'

interface Entry {
  readonly id: string
  readonly at: string
  readonly operation: string
  readonly outcome: string
  readonly actor: { kind: string; id: string; name: string }
  readonly targets: string[]
  readonly before: unknown
  readonly after: Record<string, unknown> | null
  readonly problem: string | null
  readonly request: string | null
  readonly address: string | null
}

describe('REST: audit', () => {
  let api: TestApi
  beforeEach(async () => {
    api = await startTestApi()
  })
  afterEach(() => api.close())

  const entries = async (query = ''): Promise<Entry[]> => {
    const answer = await api.ask('GET', `/v1/audit?${query}`)
    expect(answer.status, answer.text).to.equal(200)
    return answer.body.items
  }

  it('says who changed what, when, from where and by which request', async () => {
    await member(api, 'ann@example.com', 'developer')
    const ann = await signIn(api, 'ann@example.com')
    const made = await ann.ask('POST', '/v1/devices', { name: 'thermo' })
    const [entry] = await entries('operation=createDevice')
    expect(entry).to.deep.include({
      outcome: 'done',
      at: new Date(api.platform.clock.now()).toISOString(),
      actor: { kind: 'user', id: ann.id, name: 'ann@example.com' },
      targets: [made.body.id],
      problem: null,
      request: made.headers.get('x-request-id'),
    })
    expect(entry.address).to.match(/127\.0\.0\.1/)
    expect(entry.after).to.include({ name: 'thermo', key: '[redacted]' })
  })

  it('says what it was before', async () => {
    const id = await member(api, 'ann@example.com', 'viewer')
    await api.ask('PATCH', `/v1/users/${id}`, { body: { role: 'operator' } })
    const [entry] = await entries('operation=updateUser')
    expect([entry.before, entry.after]).to.deep.equal([
      { role: 'viewer', groups: null, elevation: null },
      { role: 'operator', groups: null, elevation: null },
    ])
  })

  it('says what a deleted or changed thing was', async () => {
    const { id } = await api.device('thermo')
    await api.ask('PATCH', '/v1/devices/thermo', { body: { description: 'in the cellar' } })
    await api.ask('DELETE', '/v1/devices/thermo')
    await api.ask('PATCH', '/v1/organisations/default', { body: { name: 'Acme' } })
    const [changed] = await entries('operation=updateDevice')
    expect(changed).to.have.nested.property('before.description', '')
    expect(changed).to.have.nested.property('after.description', 'in the cellar')
    const [gone] = await entries('operation=deleteDevice')
    expect(gone.before).to.include({ id, name: 'thermo', description: 'in the cellar' })
    expect(gone.targets).to.include(id)
    const [renamed] = await entries('operation=updateOrganisation')
    expect(renamed.before).to.include({ name: 'default' })
    expect(renamed.after).to.include({ name: 'Acme' })
  })

  it('has what was refused and what failed', async () => {
    await member(api, 'ann@example.com', 'viewer')
    const ann = await signIn(api, 'ann@example.com')
    expectProblem(await ann.ask('POST', '/v1/devices', { name: 'x' }), 403, 'forbidden')
    expectProblem(await api.ask('DELETE', '/v1/devices/nope'), 404, 'device_not_found')
    const { key } = await api.device('d')
    const authorization = `Device ${key}`
    expectProblem(await api.ask('DELETE', '/v1/devices/d', { authorization }), 403, 'forbidden')
    await api.ask('POST', '/v1/sessions', {
      authorization: null,
      body: { email: 'ann@example.com', password: 'wrong password' },
    })
    const refused = await entries('outcome=denied')
    expect(
      refused.map(({ operation, actor, problem }) => [operation, actor.kind, problem]),
    ).to.have.deep.members([
      ['createDevice', 'user', 'forbidden'],
      ['deleteDevice', 'device', 'forbidden'],
      ['signIn', 'anonymous', 'wrong_credentials'],
    ])
    const [failed] = await entries('outcome=failed')
    expect(failed).to.deep.include({
      operation: 'deleteDevice',
      problem: 'device_not_found',
      targets: ['nope'],
    })
  })

  it('is written before the change: one that cannot be recorded is not made', async () => {
    const { store } = api.platform
    const write = store.write.bind(store)
    store.write = (batch) =>
      batch.mutations.some(({ table }) => table.name === 'audit')
        ? Promise.reject(new StoreError('full', 'no space'))
        : write(batch)
    const own = await startTestApi({ platform: api.platform, durableTimeout: 50 })
    expectProblem(await own.ask('POST', '/v1/devices', { body: { name: 'x' } }), 503, 'store_unavailable')
    store.write = write
    await api.platform.lanes.durable()
    expectProblem(await api.ask('GET', '/v1/devices/x'), 404, 'device_not_found')
    expect((await entries('operation=createDevice')).map(({ outcome }) => outcome)).to.deep.equal(['begun'])
    await own.close()
  })

  it('is not confirmed before its answer: what was made but not recorded as done is not said to be', async () => {
    const { store } = api.platform
    const write = store.write.bind(store)
    let audits = 0
    store.write = (batch) =>
      batch.mutations.some(({ table }) => table.name === 'audit') && audits++ > 0
        ? Promise.reject(new StoreError('full', 'no space'))
        : write(batch)
    const own = await startTestApi({ platform: api.platform, durableTimeout: 50 })
    expectProblem(await own.ask('POST', '/v1/devices', { body: { name: 'x' } }), 503, 'outcome_unknown')
    store.write = write
    await api.platform.lanes.durable()
    expect((await entries('operation=createDevice')).map(({ outcome }) => outcome)).to.deep.equal(['done'])
    await own.close()
  })

  it('leaves out no change but those that devices and strangers make', async () => {
    const methods = ['post', 'put', 'patch', 'delete'] as const
    const callers = [...roles, 'device', 'user', 'platform'] as const
    for (const method of methods)
      for (const access of callers)
        expect(isAudited({ method, access }), `${method} ${access}`).to.equal(true)
    const { paths } = (await api.ask('GET', '/v1/openapi.json')).body
    const open = Object.values(paths as Record<string, Record<string, { operationId: string; security: [] }>>)
      .flatMap((path) => methods.map((method) => path[method]))
      .filter((operation) => operation?.security.length === 0)
    // Each of these records by itself what it changes, or changes nothing that must be known.
    expect(open.map(({ operationId }) => operationId)).to.have.members([
      'signIn',
      'refreshSession',
      'requestPasswordReset',
      'confirmPasswordReset',
      'acceptInvitation',
      'setUp',
      'createProvision',
    ])
  })

  it('has devices that made themselves by a provisioning key', async () => {
    const made = await api.ask('POST', '/v1/provisioning-keys', { body: { max_uses: 1 } })
    const provisioned = await api.ask('POST', '/v1/provision', {
      authorization: `Device ${made.body.key}`,
      body: { nonce: '0123456789abcdef01234567', name: 'pump' },
    })
    expect(provisioned.status, provisioned.text).to.equal(200)
    const [entry] = await entries('operation=provisionDevice')
    expect(entry).to.deep.include({ outcome: 'done', targets: [provisioned.body.id] })
    expect(entry.actor).to.deep.equal({ kind: 'key', id: made.body.id, name: 'provisioning key' })
  })

  it('records sign-ins with every organisation of the person', async () => {
    await api.ask('POST', '/v1/organisations', { body: { id: 'acme' } })
    const id = await member(api, 'ann@example.com', 'viewer')
    await api.platform.identity.memberships.put('acme', id, { role: 'viewer', groups: null })
    await signIn(api, 'ann@example.com')
    for (const org of ['default', 'acme']) {
      const [entry] = await entries(`operation=signIn&organisation=${org}`)
      expect(entry).to.deep.include({ outcome: 'done', actor: { kind: 'user', id, name: 'ann@example.com' } })
    }
  })

  it("keeps the platform's own apart", async () => {
    await api.ask('POST', '/v1/organisations', { body: { id: 'acme' } })
    expect(await entries()).to.deep.equal([])
    const [entry] = await entries('space=platform')
    expect(entry).to.deep.include({ operation: 'createOrganisation', outcome: 'done', targets: ['acme'] })
    expect(entry.after).to.include({ token: '[redacted]' })
  })

  it('is bounded where somebody tries again and again', async () => {
    const { key } = await api.device('d')
    const authorization = `Device ${key}`
    for (let i = 0; i < 305; i++) await api.ask('DELETE', '/v1/devices/d', { authorization })
    expect(await entries('outcome=denied&limit=1000')).to.have.length(300)
    const page = (await api.ask('GET', '/metrics')).text
    expect(page).to.match(/cinque_audit_dropped_total\{reason="too_many_denied"\} 5\n/)
  })

  describe('of several days', () => {
    const dayMs = 86_400_000
    let names: string[]
    beforeEach(async () => {
      names = []
      for (let i = 0; i < 10; i++) {
        await api.device(`d${i}`)
        names.push(`d${i}`)
        api.platform.clock.time += dayMs / 3
      }
    })

    const namesOf = (some: readonly Entry[]): unknown[] => some.map(({ after }) => after?.name)

    it('comes page by page, each entry once, in both orders', async () => {
      for (const order of ['asc', 'desc']) {
        const seen: Entry[] = []
        let next: string | null = ''
        while (next !== null) {
          const cursor: string = next === '' ? '' : `&cursor=${next}`
          const page = (await api.ask('GET', `/v1/audit?limit=3&order=${order}${cursor}`)).body
          seen.push(...page.items)
          next = page.next
        }
        expect(namesOf(seen)).to.deep.equal(order === 'asc' ? names : names.toReversed())
      }
    })

    it('is of a range of time: from inclusive, to exclusive', async () => {
      const all = await entries('order=asc')
      const [from, to] = [all[3].at, all[7].at]
      expect(namesOf(await entries(`from=${from}&to=${to}&order=asc`))).to.deep.equal(names.slice(3, 7))
    })

    it('is filtered', async () => {
      const [third] = await entries('order=asc').then((all) => all.slice(3))
      expect(namesOf(await entries(`target=${third.targets[0]}`))).to.deep.equal(['d3'])
      expect(namesOf(await entries(`request=${third.request}`))).to.deep.equal(['d3'])
      expect(await entries('actor=platform')).to.have.length(10)
      expect(await entries('actor_kind=user')).to.have.length(0)
      expect(await entries('operation=deleteDevice')).to.have.length(0)
    })

    it('is exported whole, as JSON lines or CSV', async () => {
      const ndjson = await api.ask('GET', '/v1/audit/export?order=asc')
      expect(ndjson.headers.get('content-type')).to.match(/^application\/x-ndjson/)
      const lines = ndjson.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Entry)
      expect(namesOf(lines)).to.deep.equal(names)
      const csv = await api.ask('GET', '/v1/audit/export?format=csv&order=asc')
      expect(csv.headers.get('content-type')).to.match(/^text\/csv/)
      const [header, ...rows] = csv.text.trimEnd().split('\n')
      expect(header).to.match(/^id,at,outcome,actor_kind/)
      expect(rows).to.have.length(10)
      expect(rows[0]).to.match(/createDevice/)
    })

    it('ends after 400 days', async () => {
      api.platform.clock.time += 397 * dayMs
      const left = namesOf(await entries())
      expect(left).to.not.include('d0')
      expect(left).to.include('d9')
    })
  })

  it('gives a spreadsheet no formula', async () => {
    await member(api, 'ann@example.com', 'admin')
    const ann = await signIn(api, 'ann@example.com')
    await ann.ask('POST', '/v1/api-keys', { name: 'x', role: 'viewer' })
    const { audit, lanes } = api.platform
    const actor = { kind: 'user', id: '=cmd()', name: '+1' } as const
    audit.note({ org: 'default', actor, operation: 'x', targets: ['@x', '-1'] }, { outcome: 'done' })
    await lanes.durable()
    const { text } = await api.ask('GET', '/v1/audit/export?format=csv&operation=x')
    expect(text).to.include("'=cmd()").and.include("'+1").and.include("'@x -1")
  })

  it('also has what nobody asked for over the API', async () => {
    const { audit } = api.platform
    const actor = { kind: 'system', id: 'retention', name: 'nightly clean-up' } as const
    const done = await audit.run({ org: 'default', actor, operation: 'cleanUp' }, async () => {
      const [entry] = await entries('operation=cleanUp')
      expect(entry.outcome).to.equal('begun')
      return { value: 7, targets: ['d1'], after: { rows: 7 } }
    })
    expect(done).to.equal(7)
    const failing = audit.run({ org: 'default', actor, operation: 'fails' }, () =>
      Promise.reject(new Error('x')),
    )
    expect(await failing.catch((error: Error) => error.message)).to.equal('x')
    await api.platform.lanes.durable()
    expect((await entries('operation=cleanUp'))[0]).to.deep.include({ outcome: 'done', targets: ['d1'] })
    expect((await entries('operation=fails'))[0]).to.deep.include({ outcome: 'failed' })
  })
})
