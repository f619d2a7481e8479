import { expect } from 'chai'
import { summarize } from '../../bench/cpu-profile.ts'

const frame = (functionName: string, url: string) => ({ functionName, url, lineNumber: 9 })
const profile = JSON.stringify({
  nodes: [
    { id: 1, callFrame: frame('start', 'file:///x/boot.ts') },
    { id: 2, callFrame: frame('(idle)', '') },
    { id: 3, callFrame: frame('route', 'file:///x/broker/router.ts') },
    { id: 4, callFrame: frame('', 'file:///x/broker/router.ts') },
    { id: 5, callFrame: frame('(garbage collector)', '') },
  ],
  startTime: 1000,
  samples: [1, 2, 3, 4, 5, 3],
  timeDeltas: [50, 100, 30, 20, 10, 40],
})

describe('bench: profiles', () => {
  it('share the time under load among functions and files, without start-up and idle time', () => {
    const shorten = (url: string) => url.replace('file:///x/', '')
    expect(summarize(profile, 1100, 2, shorten)).to.deep.equal({
      functions: [
        { name: 'route broker/router.ts:10', percent: 70 },
        { name: '(anonymous) broker/router.ts:10', percent: 20 },
      ],
      files: [
        { name: 'broker/router.ts', percent: 90 },
        { name: '(runtime)', percent: 10 },
      ],
    })
  })
})
