import { expect } from 'chai'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, it } from 'mocha'
import { pairsOf, queueOf, rulesOf } from '#scripts/cell/wan/rules.ts'
import { Wan } from '#scripts/cell/wan/wan.ts'
import { temporaryFolder } from '../child.ts'

describe('packet filter rules between DCs', () => {
  const cell = { net: 90, dcs: [1, 2, 3] }

  it('touch packets of the cell only: each names its addresses, or a mark that only they have', () => {
    const rules = rulesOf(cell, { pairs: [[1, 2]], checkers: [3] }, true).split('\n')
    for (const rule of rules.filter((line) => line.startsWith('-A'))) {
      expect(rule).to.match(/^-A CINQUE-90/)
      expect(rule).to.match(/-d 127\.90\.|--mark 0xc15a0/)
    }
  })

  it('drop before they delay, and delay each pair by a queue of its own', () => {
    const text = rulesOf(cell, { pairs: [[1, 2]], checkers: [] }, true)
    expect(text.indexOf('-j DROP')).to.be.greaterThan(0).and.lessThan(text.indexOf('-j NFQUEUE'))
    const queues = pairsOf(cell.dcs).map((pair) => queueOf(cell, pair))
    expect(new Set(queues).size).to.equal(3)
    expect(rulesOf(cell, { pairs: [], checkers: [] }, false)).not.to.match(/DROP|NFQUEUE/)
  })
})

const echo = `require('net').createServer((s) => s.pipe(s).on('error', () => {})).listen(5555, process.argv[1], () => console.log('up'))`
const dial = `
const from = performance.now()
const s = require('net').connect(5555, process.argv[1], () => s.write('x'))
s.once('data', () => { console.log(performance.now() - from); process.exit() })
s.once('error', (error) => { console.log(error.code); process.exit() })
s.setTimeout(1500, () => { console.log('silence'); process.exit() })`

const save = 'iptables-save'
const oneLine = /^Error: [^\n]+$/

/** Where there is no packet filter for us, that is said in one line; where there is one, it works. */
describe('the network between DCs on this machine', function () {
  this.timeout(120_000)
  const net = 211
  let folder: ReturnType<typeof temporaryFolder>
  let wan: Wan | null = null
  let refusal = ''
  const servers: ChildProcess[] = []

  before(async () => {
    folder = temporaryFolder()
    const options = { net, dcs: [1, 2, 3], directory: folder.path, say: () => undefined }
    try {
      wan = await Wan.open({ ...options, delay: (a, b) => 20 * (b - a) })
    } catch (error) {
      refusal = String(error)
    }
    for (const dc of [1, 2, 3]) {
      const server = spawn(process.execPath, ['-e', echo, `127.${net}.${dc}.1`], groupOf(dc))
      servers.push(server)
      await once(server.stdout ?? server, 'data')
    }
  })
  after(async () => {
    for (const server of servers) server.kill()
    await wan?.close()
    folder.remove()
  })

  function groupOf(dc: number): { gid?: number } {
    return wan === null ? {} : { gid: wan.groupOf(dc) }
  }

  /** Milliseconds of a connection and one round trip, or what went wrong. */
  async function roundTrips(from: number, to: number, who = groupOf(from)): Promise<number | string> {
    const child = spawn(process.execPath, ['-e', dial, `127.${net}.${to}.1`], who)
    const [text] = (await once(child.stdout, 'data')) as [Buffer]
    return Number(String(text)) || String(text).trim()
  }

  it('makes packets wait as long as said, one way each, and none inside a DC', async () => {
    if (wan === null) {
      expect(refusal).to.match(oneLine)
      return
    }
    expect(await roundTrips(1, 2)).to.be.at.least(80)
    expect(await roundTrips(3, 1)).to.be.at.least(160)
    // However busy the machine is, one of these comes at once.
    let inside = await roundTrips(2, 2)
    while (Number(inside) >= 40) inside = await roundTrips(2, 2)
    expect(inside).to.be.a('number')
  })

  it('lets nothing through between DCs that are cut, and everything when they are healed', async () => {
    if (wan === null) {
      expect(refusal).to.match(oneLine)
      return
    }
    await wan.cut([[2, 1]])
    expect(wan.isCut(1, 2)).to.be.true
    expect(await roundTrips(1, 2)).to.equal('silence')
    expect(await roundTrips(2, 1)).to.equal('silence')
    expect(await roundTrips(1, 3)).to.be.a('number')
    await wan.heal([[1, 2]])
    expect(await roundTrips(1, 2)).to.be.a('number')
  })

  it('cuts off the checker of a DC alone, though it has the network of its DC', async () => {
    if (wan === null) {
      expect(refusal).to.match(oneLine)
      return
    }
    const checker = { gid: wan.checkerGroupOf(1) }
    expect(await roundTrips(1, 2, checker)).to.be.at.least(80)
    await wan.cutChecker(1, true)
    expect(await roundTrips(1, 2, checker)).to.equal('silence')
    expect(await roundTrips(1, 1, checker)).to.equal('silence')
    expect(await roundTrips(1, 2)).to.be.a('number')
    await wan.cutChecker(1, false)
    expect(await roundTrips(1, 2, checker)).to.be.a('number')
  })

  it('makes a DC slow for all others, and quick again', async () => {
    if (wan === null) {
      expect(refusal).to.match(oneLine)
      return
    }
    await wan.slow(3, 200)
    expect(wan.lateness(3)).to.equal(200)
    expect(await roundTrips(2, 3)).to.be.at.least(880)
    await wan.slow(3, 0)
    let again = await roundTrips(2, 3)
    while (Number(again) >= 880) again = await roundTrips(2, 3)
    expect(again).to.be.a('number')
  })

  it('takes its rules away, also those of a launcher that was killed', async () => {
    if (wan === null) {
      expect(refusal).to.match(oneLine)
      return
    }
    const again = await Wan.open({ net, dcs: [1, 2, 3], directory: folder.path, say: () => undefined })
    await again.close()
    expect(execFileSync(save, ['-t', 'mangle'], { encoding: 'utf8' })).not.to.include(`CINQUE-${net}`)
  })
})
