import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { catalogue } from '#healthcheck/alerts/alert.ts'
import { ensureDebianPackage } from '#platform/engines/debian-package.ts'
import { createLogger } from '#platform/log.ts'
import { parse } from 'yaml'

const run = promisify(execFile)
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

/** Names of metrics that the code declares; parts that are only known while it runs are `.+`. */
function declared(): RegExp[] {
  const names = new Set<string>()
  for (const top of ['api', 'broker', 'cassandra', 'healthcheck', 'platform', 'scripts']) {
    for (const file of readdirSync(join(root, top), { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts')) continue
      const source = readFileSync(join(root, top, file), 'utf8')
      for (const [, , name] of source.matchAll(/(['`])(cinque_[^'`\n]+)\1/g)) names.add(name)
    }
  }
  return Array.from(
    names,
    (name) => new RegExp(`^${name.replaceAll(/\$\{[^}]*\}/g, '[a-z_]+')}(?:_bucket|_sum|_count)?$`),
  )
}

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
    const { root: unpacked, env } = await ensureDebianPackage('prometheus', {
      log: createLogger({ level: 'silent' }),
    })
    const promtool = (...args: string[]) =>
      run(join(unpacked, 'usr/bin/promtool'), args, {
        cwd: directory,
        env: { ...process.env, ...env },
      }).catch((error: Error & { stdout?: string; stderr?: string }) => {
        throw new Error(`${error.stdout ?? ''}${error.stderr ?? ''}`, { cause: error })
      })
    const checked = await promtool('check', 'rules', 'cinque.rules.yml')
    expect(checked.stdout).to.include(`${rules.length} rules found`)
    await promtool('test', 'rules', 'cinque.rules.test.yml')
  }).timeout(300_000)
})
