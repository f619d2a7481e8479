import { writeFile } from 'node:fs/promises'
import { describeBar } from './bars.ts'
import { withCertificate } from './certificate.ts'
import { buildGenerator } from './generator.ts'
import { busyNote, choosePins, describeMachine } from './machine.ts'
import { messageOf } from './process.ts'
import type { MeasureOptions } from './measure.ts'
import { parseOptions, usage, type Options } from './options.ts'
import { selectPeers } from './peers/index.ts'
import type { Peer } from './peers/peer.ts'
import { buildRows, formatRows, type Row } from './report.ts'
import { runScenario } from './rounds.ts'
import { selectScenarios } from './scenarios.ts'

type Found = { peer: Peer; version: string }

async function findPeers(names: readonly string[]): Promise<Found[]> {
  const found: Found[] = []
  for (const peer of selectPeers(names)) {
    const state = await peer.find()
    if ('version' in state) found.push({ peer, version: state.version })
    else console.log(`${peer.name}: ${state.missing}`)
  }
  if (found.length === 0) throw new Error('no broker to measure')
  return found
}

async function runAll(options: Options): Promise<void> {
  const scenarios = selectScenarios(options.scenarios)
  const found = await findPeers(options.peers)
  const generator = await buildGenerator()
  const machine = describeMachine()
  const pins = await choosePins()
  const peers = found.map((f) => f.peer)
  const versions = Object.fromEntries(found.map((f) => [f.peer.name, f.version]))
  console.log(
    `${machine.cores} x ${machine.cpu}, ${machine.memoryGb} GB, ${machine.kernel}, Node ${machine.node}`,
  )
  console.log(found.map((f) => `${f.peer.name} ${f.version}`).join(', '))
  console.log(`${options.rounds} rounds of ${options.seconds} s, medians; ratios are of each round's pair`)
  for (const note of [pins.note, busyNote()]) if (note !== null) console.log(note)

  const notes: string[] = []
  const rows: Row[] = []
  const raw: Record<string, unknown> = {}
  await withCertificate(async (tls) => {
    const measureOptions: MeasureOptions = {
      generator,
      brokerPin: pins.broker,
      generatorPin: pins.generator,
      seconds: options.seconds,
      warmSeconds: options.warmSeconds,
      tls,
      ...(options.directory === undefined ? {} : { workDirectory: options.directory }),
    }
    for (const [i, scenario] of scenarios.entries()) {
      process.stderr.write(`[${i + 1}/${scenarios.length}] ${scenario.name}\n`)
      const results = await runScenario(scenario, peers, options.rounds, measureOptions, (text) => {
        notes.push(text)
      })
      rows.push(...buildRows(scenario, results))
      raw[scenario.name] = { ...Object.fromEntries(results.byPeer), rawStore: results.rawStore }
    }
  })
  console.log(
    `\n${formatRows(
      rows,
      peers.map((p) => p.name),
    )}`,
  )
  if (notes.length > 0) console.log(`\n${notes.join('\n')}`)
  if (options.json !== undefined)
    await writeFile(
      options.json,
      `${JSON.stringify({ machine, versions, options, rows, notes, raw }, null, 2)}\n`,
    )
}

function list(options: Options): void {
  for (const scenario of selectScenarios(options.scenarios)) {
    const bars = scenario.metrics.flatMap((m) => (m.bars ?? []).map((b) => `${m.label} ${describeBar(b)}`))
    console.log([scenario.name.padEnd(20), bars.join(', ')].join(' ').trimEnd())
  }
}

try {
  const options = parseOptions(process.argv.slice(2))
  if (options.action === 'help') process.stdout.write(usage)
  else if (options.action === 'list') list(options)
  else await runAll(options)
} catch (error) {
  console.error(`bench: ${messageOf(error)}`)
  process.exitCode = 1
}
