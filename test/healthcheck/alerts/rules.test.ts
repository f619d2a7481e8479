import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { catalogue } from '#healthcheck/alerts/alert.ts'
import { parse } from 'yaml'
import { declared, promtoolIn } from './metrics.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const directory = join(root, 'healthcheck/alerts')

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly runbook: string }
}
const rules = (
  parse(readFileSync(join(directory, 'cinque.rules.yml'), 'utf8')) as { groups: { rules: Rule[] }[] }
).groups.flatMap((group) => group.rules)

describe('Alert rules for Prometheus', () => {
  it('look at metrics that the code has: another name would never fire', () => {
    const known = declared()
    for (const { alert, expr } of rules) {
      for (const [metric] of expr.matchAll(/cinque_[a-z0-9_]+/g))
        expect(
          known.some((one) => one.test(metric)),
          `${alert}: ${metric}`,
        ).to.equal(true)
    }
  })

  it('have a section in docs/alerts.md, as those have that checkers send by themselves', () => {
    const docs = readFileSync(join(root, 'docs/alerts.md'), 'utf8')
    const sections = new Set(Array.from(docs.matchAll(/^## (\w+)$/gm), ([, name]) => name))
    const names = new Set([...rules.map(({ alert }) => alert), ...Object.keys(catalogue)])
    expect(Array.from(names).filter((name) => !sections.has(name))).to.deep.equal([])
    expect(
      Array.from(sections).filter((name) => !names.has(name)),
      'of alerts that are gone',
    ).to.deep.equal([])
    for (const { alert, labels, annotations } of rules) {
      expect(annotations.runbook).to.equal(`docs/alerts.md#${alert.toLowerCase()}`)
      expect(labels.severity).to.match(/^(?:warning|critical)$/)
    }
  })

  it('fire when they should, and not when they should not, by promtool', async () => {
    const promtool = await promtoolIn(directory)
    const checked = await promtool('check', 'rules', 'cinque.rules.yml')
    expect(checked).to.include(`${rules.length} rules found`)
    await promtool('test', 'rules', 'cinque.rules.test.yml')
  }).timeout(300_000)
})
