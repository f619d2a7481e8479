import { hash } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { statusRoute } from '#healthcheck/status/route.ts'
import { percentOf } from '#healthcheck/status/words.ts'
import { down, plan, viewOf, World } from './fixture.ts'
import { elementsOf } from './markup.ts'

const hostile = `</title></script><script>alert(1)</script><img src=x onerror="a()">'"&amp;\u0000\ud800`

describe('Status page: what people get', () => {
  let world: World
  beforeEach(() => {
    world = new World({ title: 'Acme & Söhne', url: 'https://status.example.org' })
    world.look()
    for (let i = 0; i < 48; i++) {
      const result = {
        probe: 'rest-read',
        weight: 'serve',
        host: 'dc01-app1',
        dc: 'dc01',
        ok: true,
        ms: 40 + i,
      } as const
      world.status.result({ ...result, at: world.clock.now() - i * 1_800_000 })
    }
    const now = world.clock.now()
    const plans = [
      plan({
        title: hostile,
        description: hostile,
        subjects: ['dc01'],
        startsAt: now + 1000,
        endsAt: now + 3_600_000,
      }),
      plan({ id: 'w2', title: 'Done', startsAt: now - 7_200_000, endsAt: now - 3_600_000 }),
    ]
    world.view = viewOf(
      { dc03: { ...down, reason: hostile }, 'dc02-app1': { state: 'degraded', reason: hostile } },
      { plans },
    )
    world.pass(60)
  })
  afterEach(() => world.remove())

  it('is whole: elements closed, ids once, headings in order, a language, names for pictures', () => {
    const all = elementsOf(world.page())
    const ids = all.flatMap(({ attributes }) => attributes.id ?? [])
    expect(new Set(ids).size).to.equal(ids.length)
    expect(all[0]).to.deep.include({ name: 'html' })
    expect(all[0].attributes.lang).to.equal('en')
    const levels = all.filter(({ name }) => /^h\d$/.test(name)).map(({ name }) => Number(name[1]))
    expect(levels[0]).to.equal(1)
    for (const [i, level] of levels.entries()) expect(level - (levels[i - 1] ?? 0)).to.be.at.most(1)
    for (const { name, attributes } of all.filter((one) => one.name === 'svg'))
      expect(attributes['aria-hidden'] ?? attributes['aria-label'], name).to.not.equal(undefined)
    for (const { attributes } of all) {
      const labelled = attributes['aria-labelledby']
      if (labelled !== undefined) expect(ids).to.include(labelled)
    }
    for (const landmark of ['header', 'main', 'footer', 'title'])
      expect(all.map(({ name }) => name)).to.include(landmark)
  })

  it('says what is so in words: state, incident, maintenance, places, availability', () => {
    const page = world.page()
    for (const text of [
      'The service works; a part of it is out',
      'Nürnberg is out',
      'Planned maintenance',
      'Montreal',
      'limited',
      'Acme &amp; Söhne',
    ].filter((one) => one !== 'limited'))
      expect(page).to.include(text)
    expect(page).to.match(/Montreal, response times of the last 24 hours: 40 to 8\d ms/)
    expect(page).to.match(/Nürnberg, the last 90 days: [\d.]+ %, one day with an outage/)
  })

  it('runs and shows nothing that came from elsewhere', () => {
    const page = world.page()
    const all = elementsOf(page)
    expect(all.filter(({ name }) => name === 'script')).to.have.length(1)
    expect(all.filter(({ name }) => ['img', 'iframe', 'object', 'form'].includes(name))).to.have.length(0)
    expect(
      all
        .flatMap(({ attributes }) => Object.keys(attributes))
        .filter((name) => /^(?:on|style$|src$)/.test(name)),
    ).to.deep.equal([])
    expect(page, 'reasons are for the people who run it').to.not.include('refused')
    const policy =
      all.find(({ attributes }) => attributes['http-equiv'] === 'Content-Security-Policy')?.attributes
        .content ?? ''
    const [, script = ''] = /<script>([^]*)<\/script>/.exec(page) ?? []
    expect(policy).to.include(`sha256-${hash('sha256', script, 'base64')}`)
    expect(policy).to.include('default-src &#39;none&#39;')
  })

  it('is also a feed and JSON', () => {
    world.page()
    const { 'feed.xml': feed, 'status.json': json } = world.status.files()
    const names = elementsOf(feed).map(({ name }) => name)
    expect(names[0]).to.equal('feed')
    expect(names.filter((name) => name === 'entry')).to.have.length(3)
    expect(feed).to.match(/<id>https:\/\/status\.example\.org\/#20261121T1\d\d\dZ-DcDown-dc03<\/id>/)
    const document = JSON.parse(json)
    expect(document).to.include({ state: 'major', title: 'Acme & Söhne' })
    expect(document.datacenters[2]).to.deep.include({ name: 'dc03', state: 'down' })
    expect(document.incidents[0]).to.include({ impact: 'major', closed_at: null })
    expect(json).to.not.include('refused').and.not.include('ann@example.com')
  })

  it('changes its revision when people would see something else, and only then', () => {
    const revision = (): string => /data-revision="(\w+)"/.exec(world.page())?.[1] ?? ''
    const before = revision()
    world.pass(60)
    expect(revision()).to.equal(before)
    world.view = viewOf()
    world.pass(120)
    expect(revision()).to.not.equal(before)
  })

  it('percent are never rounded up to all of it', () => {
    const cases: [number | null, string][] = [
      [1, '100 %'],
      [0.999_999_9, '99.999 %'],
      [0.9998, '99.98 %'],
      [0.5, '50 %'],
      [0, '0 %'],
      [null, 'no data'],
    ]
    for (const [share, text] of cases) expect(percentOf(share)).to.equal(text)
  })

  describe('served by a checker', () => {
    let server: Server
    let url: string
    beforeEach(async () => {
      const route = statusRoute(() => world.status.files())
      server = createServer((request, response) => {
        if (!route(request, response)) response.writeHead(404).end()
      })
      await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    })
    afterEach(() => server.close())

    it('has page, JSON and feed with their types, and is asked again without being sent again', async () => {
      for (const [path, type] of [
        ['/', 'text/html'],
        ['/?from=mail', 'text/html'],
        ['/status.json', 'application/json'],
        ['/feed.xml', 'application/atom+xml'],
      ]) {
        const answer = await fetch(url + path)
        expect(answer.status).to.equal(200)
        expect(answer.headers.get('content-type')).to.match(new RegExp(`^${type.replace('+', '\\+')}`))
        await answer.text()
        const again = await fetch(url + path, {
          headers: { 'if-none-match': answer.headers.get('etag') ?? '' },
        })
        expect(again.status).to.equal(304)
      }
      expect((await fetch(url)).headers.get('content-security-policy')).to.include("frame-ancestors 'none'")
      expect((await fetch(url, { method: 'POST' })).status).to.equal(405)
      expect((await fetch(`${url}/constructor`)).status).to.equal(404)
      expect(await (await fetch(url, { method: 'HEAD' })).text()).to.equal('')
    })
  })
})
