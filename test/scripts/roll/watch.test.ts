import { expect } from 'chai'
import { createClient } from '#client/index.ts'
import { adminToken, startTestApi, type TestApi } from '../../api/fixture.ts'
import { cinque } from '../child.ts'

describe('cinque roll watch', () => {
  let api: TestApi

  before(async () => {
    api = await startTestApi()
  })
  after(() => api.close())

  it('shows what another one carries out, line by line, and how it ended by its exit code', async () => {
    const client = createClient({ urls: [api.url], token: adminToken })
    const hosts = [{ host: 'dc01-app1', dc: 'dc01' }]
    const { id } = await client.post('/v1/rolls', { body: { kind: 'restart', reason: 'test', hosts } })
    const path = { params: { path: { roll: id } } }
    const watching = cinque(['roll', 'watch', '--url', api.url, '--token', adminToken])
    await watching.said(/0\/1 ready/)
    const { runner } = await client.post('/v1/rolls/{roll}/take', { ...path, body: { runner: 'r' } })
    const body = { token: runner?.token ?? 0, host: 'dc01-app1', phase: 'act' } as const
    await client.post('/v1/rolls/{roll}/report', { ...path, body: { ...body, state: 'running' } })
    await watching.said(/\[########------------\] 0\/1 dc01-app1 act/)
    await client.post('/v1/rolls/{roll}/report', {
      ...path,
      body: { ...body, state: 'failed', note: 'it does not answer' },
    })
    const { code, stderr } = await watching.end()
    expect(code).to.equal(1)
    expect(stderr).to.match(/restart failed: dc01-app1: it does not answer\n.*dc01-app1 is out of service/)
  })
})
