import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { AskList } from '#healthcheck/checker/followed.ts'
import { followOverrides, wordsInForce } from '#healthcheck/checker/overrides.ts'
import { StateFile } from '#healthcheck/checker/state.ts'
import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { VirtualClock, VirtualTime, VirtualTimers } from '../../virtual-time.ts'

const log = createLogger({ level: 'silent' })

describe('A checker’s copy of what people said', () => {
  let time: VirtualTime
  let clock: VirtualClock
  let file: string
  let asked: string[]
  let changes: number
  let answer: AskList

  beforeEach(() => {
    time = new VirtualTime()
    clock = new VirtualClock(time)
    file = join(mkdtempSync(join(tmpdir(), 'cinque-overrides-')), 'overrides.json')
    asked = []
    changes = 0
  })

  type Overrides = ReturnType<typeof followOverrides>
  const open = (places = ['a', 'b', 'c', 'd', 'e']): Overrides =>
    followOverrides({
      places,
      ask: (place, etag, signal) => {
        asked.push(`${place} ${etag ?? '-'}`)
        return answer(place, etag, signal)
      },
      file: new StateFile(file, log),
      onChange: () => changes++,
      timers: new VirtualTimers(time),
      log,
      metrics: new Metrics(),
    })
  const word = (subject: string, ms?: number): object => ({
    subject,
    action: 'out',
    percent: null,
    reason: 'disks',
    at: new Date(clock.now()).toISOString(),
    expires_at: ms === undefined ? null : new Date(clock.now() + ms).toISOString(),
  })
  const list =
    (...items: object[]): AskList =>
    async () => ({ status: 200, etag: '"1"', text: JSON.stringify({ items, next: null }) })
  const subjectsOf = ({ items }: Overrides): string[] =>
    wordsInForce(items, clock).map(({ subject }) => subject)
  const away: AskList = async () => {
    throw new Error('refused')
  }

  it('is read every ten seconds, and whole only when it has changed', async () => {
    answer = list(word('dc01'))
    const cache = open()
    cache.start()
    await time.runAsync(0)
    expect(subjectsOf(cache)).to.deep.equal(['dc01'])
    answer = async () => ({ status: 304, etag: '"1"', text: '' })
    await time.runAsync(10_000)
    expect(asked).to.deep.equal(['a -', 'a "1"'])
    expect(subjectsOf(cache)).to.deep.equal(['dc01'])
    expect(changes).to.equal(1)
    answer = list()
    await time.runAsync(10_000)
    expect(subjectsOf(cache)).to.deep.equal([])
    expect(changes).to.equal(2)
    cache.stop()
  })

  it('comes from the next DC when one does not answer, and stays with it', async () => {
    answer = async (place, ...rest) =>
      place === 'a' ? away(place, ...rest) : list(word('dc02'))(place, ...rest)
    const cache = open()
    await cache.read()
    await cache.read()
    expect(asked).to.deep.equal(['a -', 'b -', 'b "1"'])
    expect(subjectsOf(cache)).to.deep.equal(['dc02'])
  })

  it('asks another one when one does not end its answer', async () => {
    answer = (place, ...rest) =>
      place === 'a' ? new Promise(() => undefined) : list(word('dc02'))(place, ...rest)
    const cache = open()
    const read = cache.read()
    await time.runAsync(3000)
    await read
    expect(subjectsOf(cache)).to.deep.equal(['dc02'])
  })

  for (const [what, bad] of [
    ['nobody answers', away],
    ['the store is away', async () => ({ status: 503, etag: undefined, text: '{}' })],
    ['the key is refused', async () => ({ status: 401, etag: undefined, text: '{}' })],
    ['what comes is no list', async () => ({ status: 200, etag: undefined, text: '<html>' })],
    [
      'a word in it is none',
      async () => ({ status: 200, etag: '"2"', text: '{"items":[{"subject":"dc01"}]}' }),
    ],
  ] as [string, AskList][]) {
    it(`holds on while ${what}, also over a restart, each word until it expires`, async () => {
      answer = list(word('dc01'), word('dc02', 3_600_000))
      await open().read()
      answer = bad
      const cache = open()
      await cache.read()
      expect(subjectsOf(cache)).to.deep.equal(['dc01', 'dc02'])
      await time.runAsync(3_599_999)
      expect(subjectsOf(cache)).to.deep.equal(['dc01', 'dc02'])
      await time.runAsync(1)
      expect(subjectsOf(cache)).to.deep.equal(['dc01'])
      expect(asked.length).to.be.at.most(4)
    })
  }

  it('begins empty when its file is damaged, and writes it whole', async () => {
    for (const text of ['{"half', '[{"subject":1}]', '']) {
      writeFileSync(file, text)
      expect(open().items).to.deep.equal([])
    }
    answer = list(word('dc03'))
    await open().read()
    expect(JSON.parse(readFileSync(file, 'utf8'))).to.have.length(1)
  })

  it('has nothing where there is nobody to ask', async () => {
    const cache = open([])
    await cache.read()
    expect(cache.items).to.deep.equal([])
  })
})
