import { expect } from 'chai'
import { Fixture } from './fixture.ts'
import { Publisher } from './publisher.ts'
import { lifetime } from './seed.ts'
import { eventually, within } from '../patience.ts'
import { Subscriber } from './subscriber.ts'

describe('SIGTERM under load', function () {
  this.timeout(60_000)
  let t: Fixture

  beforeEach(async () => {
    t = await Fixture.start()
  })

  afterEach(() => t.stop())

  it('ends with 0 in time, and all that was acknowledged is there after the start', async () => {
    const { port } = t
    const filters = ['load/+']
    const online = t.add(new Subscriber({ port, clientId: 'online', filters, qos: 2 }))
    const silent = t.add(new Subscriber({ port, clientId: 'silent', filters, qos: 1, lag: null }))
    const absent = t.add(new Subscriber({ port, clientId: 'absent', filters, qos: 2 }))
    const publishers = [1, 2].map((qos) =>
      t.add(
        new Publisher({ port, clientId: `p${qos}`, topic: `load/p${qos}`, qos: [qos as 1 | 2], window: 50 }),
      ),
    )
    await Promise.all([online, silent, absent].map((subscriber) => subscriber.ready()))
    await absent.leave()
    for (const publisher of publishers) publisher.join()
    for (let i = 0; i < 3; i++) {
      await lifetime(300)
      expect(await t.broker.terminate()).to.equal(0)
      await t.broker.start()
    }
    await within(Promise.all(publishers.map((publisher) => publisher.finish())), () =>
      publishers.map(({ state }) => state).join('; '),
    )
    absent.join()
    const missing = (): string[] =>
      [online, absent].flatMap((subscriber) =>
        publishers.flatMap((publisher) => subscriber.missing(publisher)),
      )
    await eventually(
      () => missing().join('\n'),
      () => missing().length === 0,
    )
    expect(t.violations).to.deep.equal([])
  })

  it('does not wait for a client that reads nothing', async () => {
    const { port } = t
    const deaf = t.add(new Subscriber({ port, clientId: 'deaf', filters: ['load/+'], qos: 1 }))
    await deaf.ready()
    deaf.pause()
    const padding = 10_000
    const publisher = t.add(
      new Publisher({ port, clientId: 'p', topic: 'load/p', qos: [1], window: 200, padding, most: 2000 }),
    )
    publisher.join()
    await eventually(
      () => publisher.state,
      () => publisher.acknowledged[1].size > 500,
    )
    expect(await t.broker.terminate()).to.equal(0)
    await t.broker.start()
    deaf.resume()
    await within(publisher.idle(), () => publisher.state)
    await eventually(
      () => deaf.missing(publisher).join(),
      () => deaf.missing(publisher).length === 0,
    )
    expect(t.violations).to.deep.equal([])
  })
})
