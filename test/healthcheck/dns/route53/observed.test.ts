import { expect } from 'chai'
import { isSettled, observeChecks, observedOf } from '#healthcheck/dns/route53/observed.ts'
import { FakeRoute53 } from './fake.ts'
import { sampleTree } from './sample.ts'

const good = 'Success: HTTP Status Code 200, OK'
const bad = 'Failure: HTTP Status Code 404, Not Found'
const mixed = (goods: number, bads: number): string[] => [
  ...Array<string>(goods).fill(good),
  ...Array<string>(bads).fill(bad),
]

describe('what Route 53 makes of its probers’ results', () => {
  it('has an endpoint healthy when more than 18 % say so', () => {
    expect(observedOf(mixed(18, 82))).to.equal('unhealthy')
    expect(observedOf(mixed(19, 81))).to.equal('healthy')
    expect(observedOf(mixed(0, 15))).to.equal('unhealthy')
    expect(observedOf([])).to.equal('unknown')
    expect(observedOf(['Unknown', ''])).to.equal('unknown')
  })

  it('is settled only when three of four probers have a result', () => {
    expect(isSettled([])).to.equal(false)
    expect(isSettled([good, 'Unknown'])).to.equal(false)
    expect(isSettled([good, bad, bad, 'Unknown'])).to.equal(true)
    expect(isSettled([good, bad])).to.equal(true)
  })

  it('counts the checkers that say down, those without a result as well', async () => {
    const fake = new FakeRoute53(() => 0)
    fake.resultsAfter = 0
    const { checks } = sampleTree()
    const ids = new Map<string, string>()
    for (const { name } of checks.filter(({ kind }) => kind === 'http')) {
      const config = { Type: 'HTTP' as const, IPAddress: '203.0.113.1', Port: 80, RequestInterval: 30 }
      ids.set(name, (await fake.createCheck(name, config)).id)
    }
    for (const name of ['dc01', 'dc02']) ids.set(name, name)
    const states = async (): Promise<unknown[]> => {
      const found = await observeChecks(fake, checks, ids)
      return [found.get('dc01'), found.get('dc02')]
    }
    expect(await states()).to.deep.equal(['healthy', 'healthy'])
    fake.observe(ids.get('dc01@c1') ?? '', good)
    expect(await states()).to.deep.equal(['healthy', 'healthy'])
    fake.observe(ids.get('dc01@c2') ?? '', good)
    expect(await states()).to.deep.equal(['unhealthy', 'healthy'])
    fake.observe(ids.get('dc01@c2') ?? '', 'Unknown')
    expect(await states()).to.deep.equal(['unhealthy', 'healthy'])
  })
})
