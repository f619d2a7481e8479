import { expect } from 'chai'
import { temporaryFolder } from '../scripts/child.ts'
import { Random } from '../fuzz/random.ts'
import { brokerArguments, BrokerProcess, freePort } from './broker-process.ts'
import type { Client } from './client.ts'
import { Publisher } from './publisher.ts'
import { lifetime, seed } from './seed.ts'
import { eventually, within } from '../patience.ts'
import { Subscriber } from './subscriber.ts'

const KILLS = Number(process.env['CINQUE_KILLS'] ?? 50)
const UNLIMITED = { 'mqtt.max_queue_messages': 10_000_000 }

describe(`kill -9 at any moment (seed ${seed})`, function () {
  this.timeout(300_000)

  it(`loses nothing acknowledged, doubles nothing of QoS 2, keeps the order: ${KILLS} kills`, async () => {
    const random = new Random(seed)
    const folder = temporaryFolder()
    const port = await freePort()
    const broker = new BrokerProcess(brokerArguments({ port, data: folder.path, set: UNLIMITED }))
    const publishers = [
      new Publisher({ port, clientId: 'p1', topic: 'load/p1', qos: [1] }),
      new Publisher({ port, clientId: 'p2', topic: 'load/p2', qos: [2] }),
      new Publisher({ port, clientId: 'p12', topic: 'load/p12', qos: [1, 2], version: 4, window: 8 }),
      new Publisher({ port, clientId: 'r1', topic: 'load/r1', qos: [1], retain: true, window: 4 }),
      new Publisher({ port, clientId: 'r2', topic: 'load/r2', qos: [2], retain: true, window: 4 }),
    ]
    const filters = ['load/+']
    const online = [
      new Subscriber({ port, clientId: 'online2', filters, qos: 2 }),
      new Subscriber({ port, clientId: 'online1', filters, qos: 1, version: 4 }),
      new Subscriber({ port, clientId: 'slow2', filters, qos: 2, lag: 50, version: 4 }),
      new Subscriber({ port, clientId: 'narrow2', filters, qos: 2, receiveMaximum: 3 }),
      new Subscriber({ port, clientId: 'silent2', filters, qos: 2, lag: null, receiveMaximum: 20 }),
    ]
    const visitor = new Subscriber({ port, clientId: 'visitor2', filters, qos: 2 })
    const absent = new Subscriber({ port, clientId: 'absent2', filters, qos: 2 })
    const subscribers = [...online, visitor, absent]
    const clients: Client[] = [...publishers, ...subscribers]
    let aborted = 0
    const acknowledged = (): number =>
      publishers.reduce((n, p) => n + p.acknowledged[1].size + p.acknowledged[2].size, 0)
    try {
      await broker.start()
      await within(Promise.all(subscribers.map((subscriber) => subscriber.ready())), () => 'all subscribed')
      await Promise.all([visitor.leave(), absent.leave()])
      for (const publisher of publishers) publisher.join()
      for (let kill = 0; kill < KILLS; kill++) {
        if (random.oneIn(6)) visitor.join()
        const stumbling = random.pick(clients)
        if (random.oneIn(2) && stumbling !== visitor && stumbling !== absent) stumbling.stumble()
        // Mostly while messages flow, now and then before the first one.
        const before = acknowledged()
        if (!random.oneIn(4))
          await eventually(
            () => 'a message acknowledged',
            () => acknowledged() > before,
          )
        await lifetime(random.below(200))
        await broker.kill()
        if (random.oneIn(3)) visitor.vanish()
        if (random.oneIn(5)) {
          aborted++
          const start = broker.start().catch(() => undefined)
          await lifetime(random.below(500))
          await broker.kill()
          await start
        }
        await broker.start()
      }
      await within(Promise.all(publishers.map((publisher) => publisher.finish())), () =>
        publishers.map(({ state }) => state).join('; '),
      )
      for (const subscriber of subscribers) subscriber.join()
      const retained = new Subscriber({ port, clientId: 'fresh', filters, qos: 1, persistent: false })
      clients.push(retained)
      await within(retained.ready(), () => 'a new subscriber')
      const missing = (): string[] =>
        subscribers
          .filter(({ id }) => id !== 'silent2')
          .flatMap((subscriber) => publishers.flatMap((publisher) => subscriber.missing(publisher)))
      await eventually(
        () => missing().join('\n'),
        () => missing().length === 0,
        60_000,
      )
      await eventually(
        () => 'no retained messages',
        () => retained.count >= 2,
      )
      const newest = publishers.flatMap(({ id, sent }) =>
        id.startsWith('r') ? [[`${id} ${id[1]}`, [Math.max(sent[1], sent[2])]]] : [],
      )
      expect([...retained.arrivals], 'retained messages are the last ones').to.have.deep.members(newest)
      await retained.leave()
      console.log(
        `      ${broker.starts - 1} kills (${aborted} while starting): ` +
          `${acknowledged()} acknowledged, ` +
          `${subscribers.reduce((n, s) => n + s.count, 0)} received, ` +
          `${subscribers.reduce((n, s) => n + s.repeated, 0)} of them again with QoS 1`,
      )
    } finally {
      for (const client of clients) client.vanish()
      await broker.kill()
      folder.remove()
    }
    expect(clients.flatMap((client) => client.violations).slice(0, 30)).to.deep.equal([])
  })
})
