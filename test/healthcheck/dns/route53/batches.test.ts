import { expect } from 'chai'
import { toBatches } from '#healthcheck/dns/route53/batches.ts'
import { makePlan } from '#healthcheck/dns/route53/plan.ts'
import { canonicalName } from '#healthcheck/dns/route53/records.ts'
import { sampleTree, zone } from './sample.ts'

describe('the batches of a plan', () => {
  const live = {
    zone: { id: 'Z1', name: zone },
    zoneTags: {},
    records: [],
    checks: [],
    checkTags: new Map<string, never>(),
  }
  const { names } = makePlan(sampleTree(), live, { cell: 'seed' })
  const ids = new Map([
    ['dc01', 'id-1'],
    ['dc02', 'id-2'],
  ])

  it('are one while they fit', () => {
    expect(toBatches(names, ids)).to.have.length(1)
  })

  it('make what an alias leads to before the alias, and never tear a name apart', () => {
    const batches = toBatches(names, ids, { records: 6, characters: 32_000 })
    expect(batches.length).to.be.greaterThan(3)
    const made = new Set<string>()
    const batchOf = new Map<string, number>()
    for (const [at, batch] of batches.entries()) {
      for (const { ResourceRecordSet: record } of batch) made.add(canonicalName(record?.Name ?? ''))
      for (const { ResourceRecordSet: record } of batch) {
        const name = canonicalName(record?.Name ?? '').replace('_cinque.', '')
        expect(batchOf.get(name) ?? at, name).to.equal(at)
        batchOf.set(name, at)
        const target = record?.AliasTarget?.DNSName
        if (target !== undefined) expect(made.has(target), target).to.equal(true)
      }
    }
  })

  it('are refused when a name alone is too much, before anything is sent', () => {
    expect(() => toBatches(names, ids, { records: 5, characters: 32_000 })).to.throw(
      /^\S+\.iot\.example\.org: 6 records with \d+ characters are more than Route 53 takes at once \(5, 32000\)$/,
    )
  })
})
