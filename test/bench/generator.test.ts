import { expect } from 'chai'
import { z } from 'zod'
import { buildGenerator, generate, type Figures, type Generator } from '../../bench/generator.ts'
import { run, unpinned } from '../../bench/process.ts'
import { startFaultyBroker, type Forward } from './faulty-broker.ts'

const whole: Forward = (publish) => [publish]
const buildable = process.platform === 'linux' && (await run('cc', ['--version'])).code === 0

if (!buildable)
  describe('bench: the load generator, where it can not be built', () => {
    it('says what is missing', async () => {
      const error = await buildGenerator().then(
        () => null,
        (e: unknown) => e,
      )
      expect(String(error)).to.match(/Linux only|no C compiler: install one/)
    })
  })
else
  describe('bench: the load generator notices what a broker does wrong', () => {
    let generator: Generator
    before(async function () {
      this.timeout(120_000)
      generator = await buildGenerator()
    })

    async function flow(
      forward: Forward,
      args: readonly string[] = [],
      options: Parameters<typeof startFaultyBroker>[1] = {},
    ): Promise<Figures> {
      const broker = await startFaultyBroker(forward, options)
      try {
        const version = ['--v', String(options.version ?? 4), '--at', broker.address]
        const time = ['--warm', '0', '--time', '0.2', '--drain', '0.5']
        return await generate(generator, ['flow', '--rate', '1000', ...time, ...version, ...args], unpinned)
      } finally {
        broker.stop()
      }
    }

    for (const qos of [0, 1, 2])
      for (const version of [4, 5] as const)
        it(`a broker without fault: nothing lost, twice or late (QoS ${qos}, version ${version})`, async () => {
          const figures = await flow(whole, ['--qos', String(qos)], { version })
          expect(figures['sent']).to.be.greaterThan(0)
          expect(figures['received']).to.equal(figures['sent'])
          expect(figures).to.include({ lost: 0, duplicated: 0, reordered: 0, unacked: 0, closed: 0 })
          expect(figures['latencyUs.n']).to.equal(figures['sent'])
        })

    it('several publishers and subscribers are checked pair by pair', async () => {
      const figures = await flow(whole, ['--pubs', '4', '--subs', '3', '--qos', '1'])
      expect(figures['received']).to.equal((figures['sent'] ?? 0) * 3)
      expect(figures).to.include({ lost: 0, duplicated: 0, reordered: 0 })
    })

    it('three messages dropped are three lost', async () => {
      const dropped = new Set([3, 4, 17])
      expect(await flow((publish, n) => (dropped.has(n) ? [] : [publish]))).to.include({
        lost: 3,
        duplicated: 0,
        reordered: 0,
      })
    })

    it('a message sent twice is a duplicate, also when others came between', async () => {
      let first: Parameters<Forward>[0] | undefined
      const figures = await flow((publish, n) => {
        first ??= publish
        return n === 5 ? [publish, publish] : n === 9 ? [publish, first] : [publish]
      })
      expect(figures).to.include({ lost: 0, duplicated: 2, reordered: 0 })
    })

    it('two messages in the wrong order are one out of order, none lost', async () => {
      let held: Parameters<Forward>[0] | undefined
      const figures = await flow((publish, n) => {
        if (n === 7) held = publish
        return n === 7 ? [] : n === 8 && held !== undefined ? [publish, held] : [publish]
      })
      expect(figures).to.include({ lost: 0, duplicated: 0, reordered: 1 })
    })

    it('publishes that are not acknowledged are counted', async () => {
      const figures = await flow(whole, ['--qos', '1'], { acknowledge: false })
      expect(figures).to.include({ acked: 0 })
      expect(figures['unacked']).to.equal(figures['sent'])
    })

    it('at a fixed rate the time a message waited for a stalled broker counts in full', async () => {
      const held: Parameters<Forward>[0][] = []
      const forward: Forward = (publish, n) => {
        held.push(publish)
        return n < 200 ? [] : held.splice(0)
      }
      const figures = await flow(forward, ['--time', '0.4'])
      expect(figures['latencyUs.n']).to.be.greaterThan(200)
      // message 200 was due 200 ms after the first, so those before it did wait that long, whatever the machine did
      expect(figures['latencyUs.max']).to.be.greaterThan(190_000)
      expect(figures['latencyUs.p90']).to.be.greaterThan(100_000)
    })

    it('devices send JSON points, no two of a device with the same time', async () => {
      const seen = new Set<string>()
      const broker = await startFaultyBroker((publish) => {
        expect(publish.topic).to.equal('v1/devices/me/telemetry')
        const { ts, values } = z
          .strictObject({ ts: z.int(), values: z.strictObject({ k0: z.number(), k1: z.number() }) })
          .parse(JSON.parse(publish.payload.toString()))
        seen.add(`${ts} ${values.k0}`)
        return []
      })
      try {
        const args = [
          'telemetry',
          '--pubs',
          '1',
          '--points',
          '2',
          '--rate',
          '500',
          '--warm',
          '0',
          '--time',
          '0.2',
        ]
        const figures = await generate(generator, [...args, '--at', broker.address], unpinned)
        expect(figures['acked']).to.be.greaterThan(0)
        expect(figures).to.include({ unacked: 0, acked: seen.size })
      } finally {
        broker.stop()
      }
    })

    it('connections that are held, and cycles of connect and disconnect, are counted', async () => {
      const broker = await startFaultyBroker(whole)
      try {
        const at = ['--at', broker.address, '--parallel', '8']
        const held = await generate(generator, ['conn', '--conns', '20', '--hold', '0', ...at], unpinned)
        expect(held).to.include({ all: 1, held: 20 })
        const churn = await generate(generator, ['churn', '--warm', '0', '--time', '0.2', ...at], unpinned)
        expect(churn).to.include({ failed: 0 })
        expect(churn['connectsPerS']).to.be.greaterThan(0)
      } finally {
        broker.stop()
      }
    })

    it('a wrong option is one line, not a run with another meaning', async () => {
      const fail = async (...args: string[]) =>
        generate(generator, args, unpinned).then(
          () => 'it ran',
          (e: unknown) => String(e),
        )
      expect(await fail('flow', '--qos', '3')).to.contain('--qos')
      expect(await fail('flow', '--rate', 'fast')).to.contain('fast is not a number')
      expect(await fail('flood')).to.contain('no such mode')
      expect(await fail('flow', '--at', 'nowhere')).to.contain('HOST:PORT')
    })
  })
