import { expect } from 'chai'
import { TopicEntries, type TopicEntry } from '#broker/topic-entry.ts'

const entry = (name: string): TopicEntry => ({ bytes: Buffer.from(name) }) as TopicEntry

describe('topics that a connection remembers', () => {
  const held = (entries: TopicEntries, names: readonly string[]): number =>
    names.filter((name) => entries.get(Buffer.from(name), 0, Buffer.byteLength(name)) !== undefined).length

  it('are found by their bytes', () => {
    const entries = new TopicEntries(entry('a/b'))
    const second = entry('a/é')
    entries.add(second)
    const packet = Buffer.from('xxa/éyy')
    expect(entries.get(packet, 2, packet.length - 2)).to.equal(second)
    expect(entries.get(packet, 2, packet.length - 3)).to.equal(undefined)
  })

  it('are bounded in number and in bytes, whatever a client publishes to', () => {
    for (const length of [8, 4000]) {
      const names = Array.from({ length: 1000 }, (_, i) => String(i).padEnd(length, 'x'))
      const entries = new TopicEntries(entry('first'))
      for (const name of names) entries.add(entry(name))
      expect(held(entries, names)).to.be.within(1, 64)
      expect(held(entries, names) * length).to.be.at.most(16_384)
    }
  })
})
