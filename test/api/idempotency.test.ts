import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect } from 'chai'
import { z } from 'zod'
import { route } from '#api/route.ts'
import { idempotency } from '#platform/idempotency/tables.ts'
import { PlatformError } from '#platform/errors.ts'
import { StoreError } from '#platform/store/store.ts'
import { expectProblem, startTestApi, type TestApi } from './fixture.ts'

const key = '8e03978e-40d5-43dd-bc93-6894a57f9324'
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** Times that something was made. */
let made = 0
let hold: Promise<void> = Promise.resolve()
let refuse = false
const things = [
  route({
    method: 'post',
    path: '/v1/things',
    access: 'device',
    summary: 'Make a thing with a secret',
    tag: 'things',
    body: z.strictObject({ name: z.string() }),
    status: 201,
    answer: z.object({ id: z.string().nullable(), secret: z.string(), name: z.string() }),
    handle: async ({ repeatableId, body, response }) => {
      if (refuse) throw new PlatformError('name_taken', 'the name is in use', 'name')
      await hold
      made++
      response.location(`/v1/things/${made}`)
      return { id: repeatableId, secret: `secret ${made}`, name: body.name }
    },
  }),
  route({
    method: 'post',
    path: '/v1/things/clear',
    access: 'viewer',
    summary: 'No answer',
    tag: 'things',
    status: 204,
    handle: () => {
      made++
      return undefined
    },
  }),
  route({
    method: 'post',
    path: '/v1/login',
    access: 'public',
    summary: 'Nobody in particular',
    tag: 'things',
    status: 204,
    handle: () => undefined,
  }),
]

describe('REST: Idempotency-Key', () => {
  let api: TestApi

  beforeEach(async () => {
    api = await startTestApi({}, things)
    made = 0
    refuse = false
    hold = Promise.resolve()
  })
  afterEach(() => api.close())

  const post = (
    idempotencyKey: string,
    body: object = { name: 'a' },
    path = '/v1/things',
    authorization?: string,
  ) =>
    api.ask('POST', path, {
      body,
      headers: { 'idempotency-key': idempotencyKey },
      ...(authorization === undefined ? {} : { authorization }),
    })

  it('a request that is sent again is answered as the first time, secret and all, and nothing is made twice', async () => {
    const first = await post(key)
    const again = await post(key)
    const quoted = await post(`"${key}"`)
    expect(first.body.id).to.match(uuid)
    expect(first.headers.get('idempotency-replayed')).to.equal(null)
    for (const answer of [again, quoted]) {
      expect([answer.status, answer.text]).to.deep.equal([201, first.text])
      expect(answer.headers.get('location')).to.equal('/v1/things/1')
      expect(answer.headers.get('content-type')).to.equal(first.headers.get('content-type'))
      expect(answer.headers.get('idempotency-replayed')).to.equal('true')
    }
    expect(made).to.equal(1)
    expect((await post('another-key-of-mine')).body.secret).to.equal('secret 2')
    expect((await api.ask('POST', '/v1/things', { body: { name: 'a' } })).body.id, 'without a key').to.equal(
      null,
    )
  })

  it('an answer without a body comes again as well', async () => {
    expect((await post(key, {}, '/v1/things/clear')).status).to.equal(204)
    const again = await post(key, {}, '/v1/things/clear')
    expect([again.status, again.text, made]).to.deep.equal([204, '', 1])
  })

  it('another request with the same key is refused', async () => {
    await post(key)
    expectProblem(await post(key, { name: 'b' }), 422, 'idempotency_key_reused')
    expectProblem(await post(key, {}, '/v1/things/clear'), 422, 'idempotency_key_reused')
    expect(made).to.equal(1)
  })

  it('while the first is being done the second is asked to come again', async () => {
    const done = Promise.withResolvers<void>()
    hold = done.promise
    const first = post(key)
    for (;;) {
      const rows = await api.platform.store.scan(idempotency, null, 10)
      if (rows.rows.length > 0) break
      await nextTurn()
    }
    const second = await post(key)
    expectProblem(second, 409, 'request_in_progress')
    expect(second.headers.get('retry-after')).to.equal('1')
    done.resolve()
    expect((await first).status).to.equal(201)
    expect((await post(key)).body.secret).to.equal('secret 1')
  })

  it('what was refused may be tried again with the same key', async () => {
    refuse = true
    expectProblem(await post(key), 409, 'name_taken')
    refuse = false
    expect((await post(key, { name: 'b' })).status).to.equal(201)
  })

  it("a key is its caller's own", async () => {
    const device = await api.platform.registry.devices.create('default', { name: 'd' })
    const [mine, theirs] = [
      await post(key),
      await post(key, { name: 'a' }, '/v1/things', `Device ${device.key}`),
    ]
    expect(theirs.body.secret).to.equal('secret 2')
    expect(theirs.body.id).to.not.equal(mine.body.id)
  })

  it('what is stored tells nobody the secret', async () => {
    const { body } = await post(key)
    const { rows } = await api.platform.store.scan(idempotency, null, 10)
    expect(rows).to.have.length(1)
    const stored = JSON.stringify(rows, (_name, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
    )
    expect(stored).to.not.include(body.secret).and.not.include(key).and.not.include('name')
  })

  it('an answer that is too long to be kept is not made again', async () => {
    const long = { name: 'x'.repeat(65_500) }
    expect((await post(key, long)).status).to.equal(201)
    expectProblem(await post(key, long), 409, 'answer_not_kept')
    expect(made).to.equal(1)
  })

  it('is not begun while the store cannot keep it, and can be begun when it can', async () => {
    const { store } = api.platform
    const write = store.write.bind(store)
    store.write = () => Promise.reject(new StoreError('unavailable', 'away'))
    expectProblem(await post(key), 503, 'store_unavailable')
    expect(made).to.equal(0)
    store.write = write
    expect((await post(key)).status).to.equal(201)
  })

  it('who has made something hears of it although the answer cannot be kept', async () => {
    const { store } = api.platform
    const write = store.write.bind(store)
    store.write = (batch) =>
      batch.mutations.some((one) => one.kind === 'put' && one.row.finished_at !== undefined)
        ? Promise.reject(new StoreError('unavailable', 'away'))
        : write(batch)
    expect((await post(key)).body.secret).to.equal('secret 1')
  })

  it('refuses keys that can be guessed, and paths that keep no answers', async () => {
    for (const bad of ['1', 'x'.repeat(15), 'x'.repeat(256), 'with spaces but not quoted'])
      expectProblem(await post(bad), 400, 'invalid_request')
    const open = await api.ask('POST', '/v1/login', {
      authorization: null,
      headers: { 'idempotency-key': key },
    })
    expectProblem(open, 400, 'invalid_request')
  })
})
