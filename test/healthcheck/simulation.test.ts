import { expect } from 'chai'
import { soak } from './soak.ts'
import { World } from './world.ts'

/** From a fault to another answer of DNS, seconds: checks every 10 s, 3 of 5. */
const noticed = 35

describe('Five checkers in virtual time, clocks up to 30 s off, 1 % of looks and questions lost', function () {
  this.timeout(300_000)
  let world: World
  beforeEach(async () => {
    world = new World(7)
    world.loss = 0.01
    await world.run(60)
    world.changes.length = 0
  })
  afterEach(() => world.stop())
  const all = (text: string, count = 5): string[] => Array.from({ length: count }, () => text)
  const changed = (): string[] => world.changes.map(({ text }) => text)

  it('notice that a host is dead, take it out, and bring it back', async () => {
    world.dead.add('dc02-a1')
    await world.run(noticed)
    expect(world.out()).to.deep.equal(all('dc02-a1'))
    world.dead.delete('dc02-a1')
    await world.run(120)
    expect(world.out()).to.deep.equal(all(''))
  })

  it('notice that a DC is dead with its checker, and bring it back by steps', async () => {
    world.setDc('dc03', false)
    await world.run(noticed)
    expect(world.out()).to.deep.equal(all('dc03 dc03-a1 dc03-a2', 4))
    world.setDc('dc03', true)
    await world.run(120)
    expect(world.out()).to.deep.equal(all(''))
    for (const { voting } of world.checkers)
      expect(voting.standings().get('dc03')?.percent).to.be.oneOf([25, 50])
  })

  it('take out one live DC of two that die at once, all the same', async () => {
    world.setDc('dc03', false)
    world.setDc('dc02', false)
    await world.run(noticed + 10)
    expect(new Set(world.out()).size).to.equal(1)
    expect(
      world
        .out()[0]
        .split(' ')
        .filter((one) => /^dc0\d$/.test(one)),
    ).to.have.length(1)
  })

  const harmless: [string, () => void, () => void][] = [
    ['a cut between two DCs', () => world.cuts.add('dc01 dc02'), () => world.cuts.clear()],
    ['a checker that is cut off', () => world.cuts.add('dc01-c'), () => world.cuts.clear()],
    ['two of them', () => world.cuts.add('dc01-c').add('dcb1-c'), () => world.cuts.clear()],
    ['a checker that lies', () => world.liars.add('dc02-c'), () => world.liars.clear()],
    ['two of them', () => world.liars.add('dc02-c').add('dc03-c'), () => world.liars.clear()],
    ['a slow DC', () => world.takes.set('dc03-a1', 3000).set('dc03-a2', 3000), () => world.takes.clear()],
    [
      'all checkers away',
      () => world.checkers.forEach(({ name }) => world.cuts.add(name)),
      () => world.cuts.clear(),
    ],
  ]
  for (const [what, begin, end] of harmless) {
    it(`change nothing by ${what}, nor by its end`, async () => {
      begin()
      await world.run(90)
      end()
      await world.run(120)
      expect(changed()).to.deep.equal([])
    })
  }

  it('keep out what is out while all checkers are away', async () => {
    world.setDc('dc03', false)
    await world.run(noticed)
    world.changes.length = 0
    for (const { name } of world.checkers) world.cuts.add(name)
    await world.run(90)
    expect(changed()).to.deep.equal([])
  })

  it('call a slow DC degraded', async () => {
    world.takes.set('dc03-a1', 3000).set('dc03-a2', 3000)
    await world.run(60)
    for (const { voting } of world.checkers)
      expect(voting.standings().get('dc03')?.state).to.equal('degraded')
  })

  it('go by a word at once', async () => {
    world.overrides = [{ subject: 'dc02', action: 'out', owner: 'anna', reason: 'disks', at: 1 }]
    await world.run(2)
    expect(world.out()).to.deep.equal(all('dc02'))
  })
})

describe('Votes of a fleet that is well', () => {
  it('are never for down, however many looks are lost by chance: 5 hours with 1 %', () => {
    expect(soak({ hours: 5, loss: 0.01, seed: 3 }).falseDowns).to.equal(0)
  }).timeout(120_000)
})
