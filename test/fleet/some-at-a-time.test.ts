import { expect } from 'chai'
import { describe, it } from 'mocha'
import { someAtATime } from '#scripts/fleet/some-at-a-time.ts'

describe('work on many hosts', () => {
  it('is done for each, in their order, never more at a time than was asked for', async () => {
    const begun: number[] = []
    let [now, most] = [0, 0]
    await someAtATime([1, 2, 3, 4, 5], 2, async (one) => {
      begun.push(one)
      now += 1
      most = Math.max(most, now)
      await Promise.resolve()
      now -= 1
    })
    expect(begun).to.deep.equal([1, 2, 3, 4, 5])
    expect(most).to.equal(2)
  })

  it('is begun on no other host after a failure, and what is under way comes to its end before that is told', async () => {
    const begun: number[] = []
    const ended: number[] = []
    const other = Promise.withResolvers<void>()
    const all = someAtATime([1, 2, 3], 2, async (one) => {
      begun.push(one)
      if (one === 1) {
        setImmediate(() => other.resolve())
        throw new Error('host 1 does not boot')
      }
      await other.promise
      ended.push(one)
    })
    const failure = await all.catch((error: Error) => error.message)
    expect({ failure, begun, ended }).to.deep.equal({
      failure: 'host 1 does not boot',
      begun: [1, 2],
      ended: [2],
    })
  })
})
