import { readdirSync, readFileSync } from 'node:fs'
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

  it('have a page about what to do, as those have that checkers send by themselves', () => {
    const pages = new Set(
      readdirSync(join(root, 'docs/operations/alerts')).map((file) => file.replace(/\.md$/, '')),
    )
    const names = new Set([...rules.map(({ alert }) => alert), ...Object.keys(catalogue)])
    expect(Array.from(names).filter((name) => !pages.has(name))).to.deep.equal([])
    expect(
      Array.from(pages).filter((name) => !names.has(name)),
      'of alerts that are gone',
    ).to.deep.equal([])
    const list = readFileSync(join(root, 'docs/alerts.md'), 'utf8')
    for (const name of names) expect(list).to.include(`[${name}](operations/alerts/${name}.md)`)
    for (const { alert, labels, annotations } of rules) {
      expect(annotations.runbook).to.equal(`docs/operations/alerts/${alert}.md`)
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
