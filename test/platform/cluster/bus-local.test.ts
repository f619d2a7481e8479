import { expect } from 'chai'
import { LocalHub } from '#platform/cluster/local-bus.ts'
import { busContract } from './bus-contract.ts'

busContract('inside one process', () => {
  const hub = new LocalHub()
  return Promise.resolve({
    open: (address) => Promise.resolve(hub.open(address)),
    remove: () => Promise.resolve(),
  })
})

describe('bus inside one process', () => {
  it('refuses a second member of the same address: each would get only a part of the frames', () => {
    const hub = new LocalHub()
    hub.open('a')
    expect(() => hub.open('a')).to.throw('the bus address a is taken')
  })

  it('spoils a frame after the call, so that who keeps it notices in a test', async () => {
    const hub = new LocalHub()
    const [a, b] = [hub.open('a'), hub.open('b')]
    const kept = await new Promise<Buffer>((heard) => {
      b.receive((frame) => heard(frame))
      a.send('b', Buffer.from('text'))
    })
    expect(kept.toString('hex')).to.equal('dbdbdbdb')
  })

  it('delivers in a later turn, also what is sent by a listener', async () => {
    const hub = new LocalHub()
    const [a, b] = [hub.open('a'), hub.open('b')]
    const order: string[] = []
    const done = new Promise<void>((heard) => {
      a.receive(() => {
        order.push('a heard')
        heard()
      })
    })
    b.receive(() => {
      b.send('a', Buffer.from('answer'))
      order.push('b answered')
    })
    a.send('b', Buffer.from('question'))
    order.push('a asked')
    await done
    expect(order).to.deep.equal(['a asked', 'b answered', 'a heard'])
  })
})
