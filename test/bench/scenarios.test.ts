import { expect } from 'chai'
import { parseOptions } from '../../bench/options.ts'
import { selectPeers } from '../../bench/peers/index.ts'
import { scenarios, selectScenarios } from '../../bench/scenarios.ts'

describe('bench: what is run', () => {
  it('every scenario has a name of its own', () => {
    expect(new Set(scenarios.map((s) => s.name)).size).to.equal(scenarios.length)
  })

  it('a name selects one, a star several, nothing all, in their own order', () => {
    expect(selectScenarios(['1-1-q0']).map((s) => s.name)).to.deep.equal(['1-1-q0'])
    expect(selectScenarios(['sparse-30k', 'sparse-*']).map((s) => s.name)).to.deep.equal([
      'sparse-20k',
      'sparse-30k',
    ])
    expect(selectScenarios([])).to.equal(scenarios)
  })

  it('a misspelt name is an error, not an empty table', () => {
    expect(() => selectScenarios(['1-1-q0', '1.1-q0'])).to.throw('--scenario 1.1-q0')
    expect(() => selectPeers(['mosquito'])).to.throw('--peer mosquito: known are cinque, mosquitto')
    expect(() => selectPeers(['external=host'])).to.throw('expected HOST:PORT')
  })

  it('MQTT 5 flows are held against the same flow in 3.1.1', () => {
    for (const scenario of scenarios.filter((s) => s.name.endsWith('-v5'))) {
      expect(scenario.asMqtt3).to.equal(true)
      const same = scenarios.find((s) => `${s.name}-v5` === scenario.name)
      expect(scenario.args).to.deep.equal(same?.args)
    }
  })

  it('options: a quick run is one round, and wrong numbers name their option', () => {
    expect(parseOptions(['--quick'])).to.include({ rounds: 1, seconds: 1, action: 'run' })
    expect(parseOptions(['--list']).action).to.equal('list')
    expect(parseOptions(['--peer', 'cinque', '--peer', 'aedes']).peers).to.deep.equal(['cinque', 'aedes'])
    expect(() => parseOptions(['--rounds', 'two'])).to.throw('--rounds two')
    expect(() => parseOptions(['--rouns', '2'])).to.throw('--rouns')
  })
})
