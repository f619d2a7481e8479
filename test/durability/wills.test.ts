import { expect } from 'chai'
import { Fixture } from './fixture.ts'
import { eventually, within } from '../patience.ts'
import { Subscriber } from './subscriber.ts'

describe('wills over kill -9', function () {
  this.timeout(60_000)
  let t: Fixture

  beforeEach(async () => {
    t = await Fixture.start()
  })

  afterEach(() => t.stop())

  /** A client whose will says `{id} 1 1`. */
  const mortal = (id: string, expiry: number, willDelayInterval = 0): Subscriber =>
    t.add(
      new Subscriber({
        port: t.port,
        clientId: id,
        filters: ['nothing'],
        qos: 1,
        persistent: expiry > 0,
        expiry,
        will: { topic: `will/${id}`, payload: `${id} 1 1`, qos: 1, properties: { willDelayInterval } },
      }),
    )

  it('are published after the restart for those who do not come back, and for nobody else', async () => {
    const witness = t.add(new Subscriber({ port: t.port, clientId: 'witness', filters: ['will/+'], qos: 2 }))
    const gone = [mortal('gone', 3600), mortal('gone-with-session', 0)]
    const back = [mortal('back', 3600), mortal('back-without-session', 0)]
    const left = mortal('left', 3600)
    const later = mortal('later', 3600, 3600)
    await Promise.all([witness, ...gone, ...back, left, later].map((client) => client.ready()))
    await left.leave()
    // What is on disk after it shows that its end is.
    await mortal('marker', 3600, 3600).ready()
    await t.broker.kill()
    for (const client of [...gone, later]) client.vanish()
    await t.broker.start()
    await within(Promise.all(back.map((client) => client.joined())), () => 'they are back')
    await eventually(
      () => `wills of ${[...witness.arrivals.keys()].join()}`,
      () => witness.arrivals.size === gone.length,
      20_000,
    )
    // What comes by mistake has come by now: all delays are over.
    expect([...witness.arrivals.keys()]).to.have.members(gone.map(({ id }) => `${id} 1`))
    expect(witness.count).to.equal(gone.length)
    expect(t.violations).to.deep.equal([])
  })

  it('wait for what is left of their delay', async () => {
    const witness = t.add(new Subscriber({ port: t.port, clientId: 'witness', filters: ['will/+'], qos: 2 }))
    const soon = mortal('soon', 3600, 2)
    const never = mortal('never', 3600, 2)
    await Promise.all([witness, soon, never].map((client) => client.ready()))
    soon.vanish()
    never.vanish()
    await t.broker.kill()
    await t.broker.start()
    await never.joined()
    await eventually(
      () => `wills of ${[...witness.arrivals.keys()].join()}`,
      () => witness.arrivals.has('soon 1'),
      20_000,
    )
    expect(witness.count).to.equal(1)
    // Published once: not again after the next start.
    await t.broker.kill()
    await t.broker.start()
    await witness.joined()
    const other = mortal('other', 0)
    await other.ready()
    other.vanish()
    await eventually(
      () => `wills of ${[...witness.arrivals.keys()].join()}`,
      () => witness.arrivals.has('other 1'),
      20_000,
    )
    expect([...witness.arrivals.keys()]).to.have.members(['soon 1', 'other 1'])
    expect(t.violations).to.deep.equal([])
  })
})
