import { expect } from 'chai'
import { z } from 'zod'
import { pageOf } from '#api/paging.ts'
import { route } from '#api/route.ts'
import { PlatformError } from '#platform/errors.ts'
import { expectProblem, startTestApi, type TestApi } from './fixture.ts'

/** A note that people edit; null: deleted. */
let note: { text: string; version: number } | null
/** Somebody else is faster: the store refuses the change although the version was right when it was read. */
let raced = false

const shape = z.object({ text: z.string(), version: z.int() })
const common = { path: '/v1/note', access: 'viewer', summary: 'A note', tag: 'notes' } as const
const routes = [
  route({
    ...common,
    method: 'get',
    versioned: 'optional',
    fields: true,
    status: 200,
    answer: shape,
    handle: ({ version }) => {
      if (note === null) throw new PlatformError('device_not_found', 'no note')
      version(note.version)
      return note
    },
  }),
  route({
    ...common,
    method: 'put',
    versioned: 'optional',
    body: z.strictObject({ text: z.string() }),
    status: 200,
    answer: shape,
    handle: ({ precondition, version, body }) => {
      precondition.check(note?.version ?? null)
      if (raced) throw new PlatformError('conflict', 'changed at the same time')
      note = { text: body.text, version: (note?.version ?? 0) + 1 }
      version(note.version)
      return note
    },
  }),
  route({
    ...common,
    method: 'delete',
    versioned: 'required',
    status: 204,
    handle: ({ precondition }) => {
      precondition.check(note?.version ?? null)
      note = null
      return undefined
    },
  }),
  route({
    ...common,
    method: 'patch',
    path: '/v1/forgetful',
    versioned: 'optional',
    status: 204,
    handle: () => undefined,
  }),
  route({ ...common, method: 'delete', path: '/v1/plain', status: 204, handle: () => undefined }),
  route({
    ...common,
    method: 'get',
    path: '/v1/notes',
    fields: true,
    status: 200,
    answer: pageOf(shape),
    handle: () => ({ items: note === null ? [] : [note, note], next: null }),
  }),
]

describe('REST: versions, and parts of answers', () => {
  let api: TestApi

  before(async () => {
    api = await startTestApi({}, routes)
  })
  after(() => api.close())
  beforeEach(() => {
    note = { text: 'first', version: 7 }
    raced = false
  })

  const put = (headers: Record<string, string>) =>
    api.ask('PUT', '/v1/note', { body: { text: 'mine' }, headers })

  it('a read says its version, and costs nothing when nothing has changed', async () => {
    const read = await api.ask('GET', '/v1/note')
    expect(read.headers.get('etag')).to.equal('"7"')
    for (const tag of ['"7"', 'W/"7"', '"1", "7"', '*']) {
      const again = await api.ask('GET', '/v1/note', { headers: { 'if-none-match': tag } })
      expect([again.status, again.text], tag).to.deep.equal([304, ''])
    }
    expect((await api.ask('GET', '/v1/note', { headers: { 'if-none-match': '"6"' } })).status).to.equal(200)
  })

  it('who changes what somebody else has changed meanwhile is told, and changes nothing', async () => {
    expectProblem(await put({ 'if-match': '"6"' }), 412, 'precondition_failed')
    expect(note?.text).to.equal('first')
    const done = await put({ 'if-match': '"7"' })
    expect([done.status, done.headers.get('etag')]).to.deep.equal([200, '"8"'])
    expectProblem(await put({ 'if-match': '"7"' }), 412, 'precondition_failed')
    expect((await put({ 'if-match': 'W/"8"' })).status, 'a tag that a proxy made weak').to.equal(200)
    expect((await put({ 'if-match': '"1", "9"' })).status, 'one of several').to.equal(200)
    expect((await put({})).status, 'who does not ask overwrites').to.equal(200)
  })

  it('a race that is lost after the check is answered the same way', async () => {
    raced = true
    expectProblem(await put({ 'if-match': '"7"' }), 412, 'precondition_failed')
    expectProblem(await put({}), 409, 'conflict')
  })

  it('only makes it, or only changes it', async () => {
    expectProblem(await put({ 'if-none-match': '*' }), 412, 'precondition_failed')
    note = null
    expectProblem(await put({ 'if-match': '*' }), 412, 'precondition_failed')
    expect((await put({ 'if-none-match': '*' })).status).to.equal(200)
    expect((await put({ 'if-match': '*' })).status).to.equal(200)
  })

  it('wants to hear of the version where overwriting would be dangerous', async () => {
    expectProblem(await api.ask('DELETE', '/v1/note'), 428, 'precondition_required')
    expect(note).to.not.equal(null)
    expect((await api.ask('DELETE', '/v1/note', { headers: { 'if-match': '"7"' } })).status).to.equal(204)
  })

  it('refuses tags that are none, and conditions where there are no versions, instead of ignoring them', async () => {
    for (const bad of ['7', '"7', '"7" "8"', ',', '']) {
      expectProblem(await put({ 'if-match': bad }), 400, 'invalid_request')
    }
    const headers = { 'if-match': '"1"' }
    expectProblem(await api.ask('DELETE', '/v1/plain', { headers }), 400, 'invalid_request')
    expectProblem(await api.ask('PATCH', '/v1/forgetful', { headers }), 500, 'internal')
  })

  it('sends the fields that are asked for, in objects and in lists', async () => {
    expect((await api.ask('GET', '/v1/note?fields=text')).body).to.deep.equal({ text: 'first' })
    const list = await api.ask('GET', '/v1/notes?fields=version')
    expect(list.body).to.deep.equal({ items: [{ version: 7 }, { version: 7 }], next: null })
    for (const bad of ['', 'text,', 'secret', 'constructor', '__proto__', 'text&fields=version'])
      expectProblem(await api.ask('GET', `/v1/notes?fields=${bad}`), 400, 'invalid_request')
  })

  it('describes both', async () => {
    const { body } = await api.ask('GET', '/v1/openapi.json')
    const { get, put: change, delete: remove } = body.paths['/v1/note']
    const names = (operation: { parameters: { name: string }[] }) =>
      operation.parameters.map(({ name }) => name)
    expect(names(get)).to.deep.equal(['fields', 'if-none-match'])
    expect(names(change)).to.deep.equal(['if-match'])
    expect(get.responses).to.include.keys('304')
    expect(remove.responses).to.include.keys('412', '428')
  })
})
