import { expect } from 'chai'
import { compact, describeBar, judge, type Bar, type Measurement } from '../../bench/bars.ts'

const nothing: Measurement = { figure: NaN, mosquitto: null, mqtt3: null, store: null }
const at = (median: number) => ({ median, low: median, high: median })

describe('bench: bars', () => {
  const cases: readonly [string, Bar, Partial<Measurement>, string][] = [
    ['reached', { of: 'mosquitto', atLeast: 20 }, { mosquitto: at(20) }, 'met'],
    ['not reached', { of: 'mosquitto', atLeast: 20 }, { mosquitto: at(15) }, 'missed by 25 % (15)'],
    [
      'missed by a hair is still missed',
      { of: 'figure', atLeast: 1000 },
      { figure: 999 },
      'missed by under 1 % (999)',
    ],
    ['an upper bound kept', { of: 'mosquitto', atMost: 1.15 }, { mosquitto: at(1.15) }, 'met'],
    ['an upper bound broken', { of: 'figure', atMost: 6 }, { figure: 9 }, 'missed by 50 % (9)'],
    ['the share of the raw store', { of: 'store', atLeast: 0.5 }, { store: at(0.75) }, 'met'],
    ['MQTT 5 against 3.1.1', { of: 'mqtt3', atLeast: 0.85 }, { mqtt3: at(0.9) }, 'met'],
    ['no figure is no success', { of: 'mosquitto', atLeast: 20 }, { figure: 1e9 }, 'not measured'],
  ]
  for (const [what, bar, measurement, verdict] of cases)
    it(what, () => {
      expect(judge(bar, { ...nothing, ...measurement }, true)).to.equal(verdict)
    })

  it('a fast broker that lost messages has not met its bar', () => {
    expect(judge({ of: 'figure', atLeast: 1 }, { ...nothing, figure: 5 }, false)).to.equal(
      'missed: messages lost',
    )
  })

  it('are written as they are judged', () => {
    expect(describeBar({ of: 'mosquitto', atLeast: 20 })).to.equal('>= 20x mosquitto')
    expect(describeBar({ of: 'figure', atMost: 46 })).to.equal('<= 46')
  })

  it('figures keep three digits', () => {
    expect([0.894, 12.34, 1830, 9996, 19_400, 999_499, 999_500, 57_600_000].map(compact)).to.deep.equal([
      '0.894',
      '12.3',
      '1830',
      '10k',
      '19.4k',
      '999k',
      '1M',
      '57.6M',
    ])
    expect(compact(NaN)).to.equal('-')
  })
})
