import { expect } from 'chai'
import { parseFigures } from '../../bench/generator.ts'
import { obstacle, type MeasureOptions, type Result } from '../../bench/measure.ts'
import { selectPeers } from '../../bench/peers/index.ts'
import { unpinned } from '../../bench/process.ts'
import { buildRows, formatRows, type Row } from '../../bench/report.ts'
import type { ScenarioResults } from '../../bench/rounds.ts'
import type { Scenario } from '../../bench/scenario.ts'
import { selectScenarios } from '../../bench/scenarios.ts'

const [flow] = selectScenarios(['1-1-q0'])
const [flow5] = selectScenarios(['1-1-q0-v5'])
const [persistent] = selectScenarios(['persistent-100-1'])
const whole = { lost: 0, duplicated: 0, reordered: 0, unacked: 0, refused: 0, closed: 0, unsent: 0 }
const result = (receivedPerS: number, brokerCpu: number, problems: readonly string[] = []): Result => ({
  figures: { ...whole, receivedPerS, brokerCpu },
  mqtt3: null,
  problems,
})
const results = (
  peers: Readonly<Record<string, readonly (Result | null)[]>>,
  rawStore: readonly number[] = [],
): ScenarioResults => ({ byPeer: new Map(Object.entries(peers)), rawStore })

function rowOf(scenario: Scenario | undefined, of: ScenarioResults): Row {
  const [row] = scenario === undefined ? [] : buildRows(scenario, of)
  if (row === undefined) throw new Error('no such scenario')
  return row
}

describe('bench: the table', () => {
  it('holds medians, the ratio of rounds, the ratio for a second of processor time, and the verdict', () => {
    const cinque = [result(3000, 1), result(2200, 0.5)]
    const row = rowOf(flow, results({ cinque, mosquitto: [result(100, 1), result(100, 1)] }))
    expect(row.figures).to.deep.equal({ cinque: 2600, mosquitto: 100 })
    expect(row.ratio).to.deep.equal({ median: 26, low: 22, high: 30 })
    expect(row.ratioPerCpu?.median).to.equal(37)
    expect(row.bars).to.deep.equal([{ bar: '>= 20x mosquitto', verdict: 'met' }])
    expect(formatRows([row], ['cinque', 'mosquitto']).split('\n').at(-1)).to.match(
      /^1-1-q0 +deliveries\/s +2600 +100 +26 \(22\.\.30\) +37 +- +>= 20x mosquitto +met$/,
    )
  })

  it('a round that lost messages or failed keeps the bar from being met', () => {
    const verdict = (cinque: readonly (Result | null)[]) =>
      rowOf(flow, results({ cinque, mosquitto: [result(100, 1), result(100, 1)] })).bars[0]?.verdict
    expect(verdict([result(3000, 1), result(3000, 1, ['lost 4'])])).to.equal('missed: messages lost')
    expect(verdict([result(3000, 1), null])).to.equal('missed: messages lost')
  })

  it('compares MQTT 5 with the same round in 3.1.1', () => {
    const row = rowOf(flow5, results({ cinque: [{ ...result(90, 1), mqtt3: { receivedPerS: 100 } }] }))
    expect(row.mqtt3?.median).to.equal(0.9)
    expect(row.bars[0]?.verdict).to.equal('met')
  })

  it('compares durable deliveries with what the raw store did in the same round', () => {
    const cinque = [result(60_000, 1), result(30_000, 1)]
    const bars = (rawStore: readonly number[]) =>
      rowOf(persistent, results({ cinque }, rawStore)).bars.map((bar) => bar.verdict)
    expect(bars([100_000, 50_000])).to.deep.equal(['met', 'met'])
    expect(bars([200_000, 100_000])).to.deep.equal(['met', 'missed by 40 % (0.3)'])
    expect(bars([])).to.deep.equal(['met', 'not measured'])
  })

  it("the generator's losses become words", () => {
    expect(flow?.check({ ...whole, lost: 3 })).to.deep.equal(['lost 3'])
    expect(flow?.check(whole)).to.deep.equal([])
    expect(flow?.check({}), 'a figure that is missing is not a 0').to.have.length(7)
  })

  it("the generator's output is flattened", () => {
    const text = '{"mode":"conn","all":true,"held":3,"rates":[3,1,2],"connectUs":{"p50":1.5}}'
    expect(parseFigures(text)).to.deep.equal({ all: 1, held: 3, rates: 2, 'connectUs.p50': 1.5 })
    expect(() => parseFigures('{"mode":null}')).to.throw()
  })

  it('a peer is left out of what it can not do', () => {
    const [aedes] = selectPeers(['aedes'])
    const options: MeasureOptions = {
      generator: { path: '', tls: false },
      brokerPin: unpinned,
      generatorPin: unpinned,
      seconds: 1,
      warmSeconds: 0,
      tls: { cert: '', key: '' },
    }
    const [tls] = selectScenarios(['idle-tls'])
    if (flow === undefined || flow5 === undefined || tls === undefined || aedes === undefined)
      throw new Error('no such scenario')
    expect(obstacle(flow, aedes, options)).to.equal(null)
    expect(obstacle(flow5, aedes, options)).to.equal('aedes has no mqtt5')
    expect(obstacle(tls, aedes, options)).to.contain('built without TLS')
  })
})
