// node bench/aedes.ts [--only aedes|cinque] [--no-rates]: what aedes does where it matters to this project, side by
// side with cinque, each answer observed on the wire in this run; then rates. For docs/decisions.
import { parseArgs } from 'node:util'
import { claims } from './aedes/claims.ts'
import { aedes, cinque } from './aedes/subjects.ts'
import { compact } from './bars.ts'
import { buildGenerator } from './generator.ts'
import { choosePins } from './machine.ts'
import { measure } from './measure.ts'
import { selectPeers } from './peers/index.ts'
import { manifestVersion } from './peers/manifest.ts'
import { messageOf } from './process.ts'
import { selectScenarios } from './scenarios.ts'
import { formatTable } from './table.ts'

const { values } = parseArgs({ options: { only: { type: 'string' }, 'no-rates': { type: 'boolean' } } })
const names = ['aedes', 'cinque'].filter((name) => values.only === undefined || values.only === name)
const subjects = [aedes, cinque].filter((s) => names.includes(s.name))
const RATES = ['1-1-q0', '1-100-q0', '100-1-q0', 'pairs-q0', '1-1-q1', '100-1-q1']

async function answers(): Promise<string> {
  const rows: string[][] = [['', ...names]]
  for (const claim of claims) {
    const row = [claim.question]
    for (const subject of subjects) row.push(await claim.ask(subject).catch((e: unknown) => messageOf(e)))
    rows.push(row)
  }
  return formatTable(rows, names.length + 1)
}

async function rates(): Promise<string> {
  const generator = await buildGenerator()
  const pins = await choosePins()
  const peers = selectPeers(names)
  const head = ['deliveries/s, one core, one run of 2 s', ...names]
  const rows: string[][] = [[...head, ...(names.length === 2 ? ['cinque : aedes'] : [])]]
  for (const scenario of selectScenarios(RATES)) {
    const cells: string[] = []
    const perS: number[] = []
    for (const peer of peers) {
      const pinned = { brokerPin: pins.broker, generatorPin: pins.generator }
      const options = { generator, ...pinned, seconds: 2, warmSeconds: 1, tls: null }
      try {
        const { figures, problems } = await measure(scenario, peer, options)
        perS.push(figures['receivedPerS'] ?? NaN)
        cells.push([compact(perS.at(-1) ?? NaN), ...problems].join(', '))
      } catch (error) {
        cells.push(messageOf(error))
      }
    }
    const [theirs, ours] = perS
    const ratio = theirs === undefined || ours === undefined ? [] : [compact(ours / theirs)]
    rows.push([scenario.name, ...cells, ...ratio])
  }
  return formatTable(rows, 1)
}

console.log(
  `aedes ${await manifestVersion(new URL('package.json', import.meta.resolve('aedes')))}, Node ${process.version}\n`,
)
console.log(await answers())
if (values['no-rates'] !== true) console.log(`\n${await rates()}`)
