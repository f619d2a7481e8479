import { expect } from 'chai'
import { parseFigures } from '../../bench/generator.ts'
import { obstacle, type MeasureOptions, type Result } from '../../bench/measure.ts'
import { selectPeers } from '../../bench/peers/index.ts'
import { unpinned } from '../../bench/process.ts'
import { buildRows, formatRows } from '../../bench/report.ts'
import { selectScenarios } from '../../bench/scenarios.ts'

const [flow] = selectScenarios(['1-1-q0'])
const [flow5] = selectScenarios(['1-1-q0-v5'])
const whole = { lost: 0, duplicated: 0, reordered: 0, unacked: 0, refused: 0, closed: 0, unsent: 0 }
const result = (receivedPerS: number, brokerCpu: number, problems: readonly string[] = []): Result => ({
  figures: { ...whole, receivedPerS, brokerCpu },
  mqtt3: null,
  problems,
})

describe('bench: the table', () => {
  it('holds medians, the ratio of rounds, the ratio for a second of processor time, and the verdict', () => {
    if (flow === undefined) throw new Error('no such scenario')
    const rounds = new Map([
      ['cinque', [result(3000, 1), result(2200, 0.5)]],
      ['mosquitto', [result(100, 1), result(100, 1)]],
    ])
    const [row] = buildRows(flow, rounds, null)
    expect(row?.figures).to.deep.equal({ cinque: 2600, mosquitto: 100 })
    expect(row?.ratio).to.deep.equal({ median: 26, low: 22, high: 30 })
    expect(row?.ratioPerCpu?.median).to.equal(37)
    expect(row?.bars).to.deep.equal([{ bar: '>= 20x mosquitto', verdict: 'met' }])
    expect(
      formatRows(row === undefined ? [] : [row], ['cinque', 'mosquitto'])
        .split('\n')
        .at(-1),
    ).to.match(/^1-1-q0 +deliveries\/s +2600 +100 +26 \(22\.\.30\) +37 +- +>= 20x mosquitto +met$/)
  })

  it('a round that lost messages or failed keeps the bar from being met', () => {
    if (flow === undefined) throw new Error('no such scenario')
    const verdict = (ours: (Result | null)[]) =>
      buildRows(
        flow,
        new Map([
          ['cinque', ours],
          ['mosquitto', [result(100, 1), result(100, 1)]],
        ]),
        null,
      )[0]?.bars[0]?.verdict
    expect(verdict([result(3000, 1), result(3000, 1, ['lost 4'])])).to.equal('missed: messages lost')
    expect(verdict([result(3000, 1), null])).to.equal('missed: messages lost')
  })

  it('compares MQTT 5 with the same round in 3.1.1', () => {
    if (flow5 === undefined) throw new Error('no such scenario')
    const paired: Result = { ...result(90, 1), mqtt3: { receivedPerS: 100 } }
    const [row] = buildRows(flow5, new Map([['cinque', [paired]]]), null)
    expect(row?.mqtt3?.median).to.equal(0.9)
    expect(row?.bars[0]?.verdict).to.equal('met')
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
