import { createHash } from 'node:crypto'
import { Script } from 'node:vm'
import { expect } from 'chai'
import { expectProblem, startTestApi, type TestApi } from './fixture.ts'

describe('REST: the page that links lead to', () => {
  let api: TestApi
  beforeEach(async () => {
    api = await startTestApi()
  })
  afterEach(() => api.close())

  it('runs its own script and style, and nothing that somebody smuggles in', async () => {
    const page = await api.ask('GET', '/account', { authorization: null })
    expect(page.headers.get('content-type')).to.match(/^text\/html/)
    const policy = page.headers.get('content-security-policy') ?? ''
    expect(policy).to.include("default-src 'none'").and.include("frame-ancestors 'none'")
    for (const tag of ['script', 'style']) {
      const [, text] = new RegExp(`<${tag}>([^]*)</${tag}>`).exec(page.text) ?? []
      const hash = createHash('sha256').update(text).digest('base64')
      expect(policy).to.include(`${tag}-src 'sha256-${hash}'`)
      if (tag === 'script') expect(() => new Script(text)).to.not.throw()
    }
    expect(page.headers.get('referrer-policy')).to.equal('no-referrer')
  })

  it('is linked to from a new link, which the platform token can ask for until there is an administrator', async () => {
    const { identity } = api.platform
    identity.letters.base = 'https://iot.example.com'
    const made = await api.ask('POST', '/v1/setup/links')
    expect(made.body.link).to.equal(`https://iot.example.com/account#setup=${made.body.token}`)
    const [entry] = (await api.ask('GET', '/v1/audit?space=platform')).body.items
    expect(JSON.stringify(entry)).to.include('createSetupLink').and.not.include(made.body.token)
    await identity.setup.create(
      made.body.token,
      { email: 'ann@example.com', password: 'a good password' },
      'default',
    )
    expectProblem(await api.ask('POST', '/v1/setup/links'), 409, 'setup_done')
  })
})
