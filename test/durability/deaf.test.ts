import { expect } from 'chai'
import { Fixture } from './fixture.ts'
import { residentKb } from './resident.ts'
import { Publisher } from './publisher.ts'
import { eventually, within } from '../patience.ts'
import { Subscriber } from './subscriber.ts'

const DEAF = 6
const MESSAGES = 2000
const PADDING = 60_000

describe('persistent subscribers that stop reading', function () {
  this.timeout(120_000)

  // Elsewhere the pages of the data file count as memory of the process.
  if (process.platform === 'linux')
    it('cost bounded memory and nobody else anything; all that was promised to them is there when they read again', async () => {
      const t = await Fixture.start()
      try {
        const { port } = t
        const deaf = Array.from({ length: DEAF }, (_, i) =>
          t.add(
            new Subscriber({ port, clientId: `deaf${i}`, filters: ['load/+'], qos: i % 2 === 0 ? 1 : 2 }),
          ),
        )
        const well = t.add(new Subscriber({ port, clientId: 'well', filters: ['load/+'], qos: 2 }))
        await Promise.all([...deaf, well].map((s) => s.ready()))
        for (const s of deaf) s.pause()
        const before = residentKb(t.broker.pid)
        const publisher = t.add(
          new Publisher({
            port,
            clientId: 'p',
            topic: 'load/p',
            qos: [1, 2],
            padding: PADDING,
            most: MESSAGES,
          }),
        )
        publisher.join()
        await publisher.joined()
        await within(publisher.idle(), () => publisher.state, 60_000)
        await eventually(
          () => well.missing(publisher).join(),
          () => well.missing(publisher).length === 0,
        )
        // Less than what waits for them: some of it is in flight; garbage was seen to come to 400 MB.
        const most = ((DEAF * MESSAGES * PADDING) / 1024) * 0.75
        expect(residentKb(t.broker.pid) - before).to.be.lessThan(most)
        for (const s of deaf) s.resume()
        const missing = (): string[] => deaf.flatMap((s) => s.missing(publisher))
        await eventually(
          () => missing().join('\n'),
          () => missing().length === 0,
          60_000,
        )
        expect(t.violations).to.deep.equal([])
      } finally {
        await t.stop()
      }
    })
})
