import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { stringify } from 'yaml'
import { declared, promtoolIn } from './metrics.ts'

const directory = fileURLToPath(new URL('../../../healthcheck/dashboards', import.meta.url))

interface Dashboard {
  readonly uid: string
  readonly panels: readonly {
    readonly id: number
    readonly title: string
    readonly type: string
    readonly gridPos: { readonly x: number; readonly w: number }
    readonly targets?: readonly { readonly expr: string }[]
  }[]
}

const dashboards = readdirSync(directory).map((file) => ({
  file,
  dashboard: JSON.parse(readFileSync(join(directory, file), 'utf8')) as Dashboard,
}))
/** Every question of every panel. */
const questions = dashboards.flatMap(({ file, dashboard }) =>
  dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ at: `${file}: ${title}`, expr })),
  ),
)

describe('Dashboards for Grafana', () => {
  it('are found by the name of their file, and their panels lie beside each other', () => {
    for (const { file, dashboard } of dashboards) {
      expect(file).to.equal(`${dashboard.uid}.json`)
      expect(new Set(dashboard.panels.map(({ id }) => id)).size).to.equal(dashboard.panels.length)
      for (const { title, type, gridPos, targets = [] } of dashboard.panels) {
        expect(gridPos.x + gridPos.w, `${file}: ${title}`).to.be.at.most(24)
        if (type !== 'row') expect(targets, `${file}: ${title}`).to.not.have.length(0)
      }
    }
  })

  it('ask for metrics that there are: another name would be an empty panel', () => {
    const known = declared()
    const others = /^(?:node_|up$)/
    for (const { at, expr } of questions) {
      for (const [metric] of expr.matchAll(/\b(?:cinque_[a-z0-9_]+|node_[a-zA-Z0-9_]+)/g)) {
        const found = others.test(metric) || known.some((one) => one.test(metric))
        expect(found, `${at}: ${metric}`).to.equal(true)
      }
    }
  })

  it('ask in words that Prometheus understands, by promtool', async () => {
    const work = mkdtempSync(join(tmpdir(), 'cinque-dashboards-'))
    try {
      const rules = questions.map(({ expr }, at) => ({
        record: `question:${at}`,
        expr: expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(?:dc|host)\b/g, '.*'),
      }))
      writeFileSync(join(work, 'questions.yml'), stringify({ groups: [{ name: 'questions', rules }] }))
      const promtool = await promtoolIn(work)
      expect(await promtool('check', 'rules', 'questions.yml')).to.include(`${rules.length} rules found`)
    } finally {
      rmSync(work, { recursive: true, force: true })
    }
  }).timeout(300_000)
})
