import { expect } from 'chai'
import { Trace } from '#broker/trace.ts'
import { collectLog } from './log-lines.ts'

describe('client trace', () => {
  function make(): { trace: Trace; lines: Record<string, unknown>[] } {
    const { log, lines } = collectLog()
    return { trace: new Trace(log), lines }
  }

  it('writes a line per event of a watched client, and of no other', () => {
    const { trace, lines } = make()
    trace.watch('d1')
    trace.event('d1', 'in', 'PUBLISH q1 a/b 12 bytes')
    trace.event('d2', 'in', 'PUBLISH q0 c 1 bytes')
    expect(lines).to.have.length(1)
    expect(lines[0]).to.include({
      event: 'trace',
      client: 'd1',
      direction: 'in',
      msg: 'PUBLISH q1 a/b 12 bytes',
    })
  })

  it('is inactive, which costs the data path one boolean, as soon as nobody is watched', () => {
    const { trace, lines } = make()
    expect(trace.active).to.equal(false)
    trace.watch('d1')
    expect([trace.active, trace.isWatched('d1'), trace.isWatched('d2')]).to.deep.equal([true, true, false])
    trace.unwatch('d1')
    expect([trace.active, trace.isWatched('d1')]).to.deep.equal([false, false])
    trace.event('d1', 'out', 'PUBACK 1')
    expect(lines).to.deep.equal([])
  })

  it('refuses to watch without bound', () => {
    const { trace } = make()
    for (let i = 0; i < 1000; i++) trace.watch(`d${i}`)
    expect(() => trace.watch('one more')).to.throw('stop tracing one of them first')
    trace.watch('d7')
  })
})
