import { mkdtemp, rm } from 'node:fs/promises'
import { connect as connectTcp } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { array, assert, asyncProperty, boolean, constant, oneof, record } from 'fast-check'
import { type ConnectOptions, Peer } from '../conformance/harness/peer.ts'
import { anyCommand, type Clients, Run } from '../conformance/harness/model.ts'
import { brokerArguments, BrokerProcess, freePort } from './broker-process.ts'

describe('random sequences over restarts', () => {
  let data = ''
  let broker: BrokerProcess
  let port = 0

  before(async () => {
    data = await mkdtemp(join(tmpdir(), 'cinque-'))
    port = await freePort()
    broker = new BrokerProcess(brokerArguments({ port, data }))
    await broker.start()
  })
  after(async () => {
    await broker.terminate()
    await rm(data, { recursive: true })
  })

  const clients: Clients = {
    async connack(options?: ConnectOptions) {
      const socket = connectTcp({ host: '127.0.0.1', port, noDelay: true })
      await once(socket, 'connect')
      const peer = new Peer(socket, 5)
      return [peer, await peer.connect(options)]
    },
    async connect(options?: ConnectOptions) {
      const [peer] = await clients.connack(options)
      return peer
    },
  }

  it('kill -9 and restart keep sessions, their messages and what is retained', async () => {
    const restart = record({ do: constant('restart'), crash: boolean() })
    const step = oneof({ weight: 25, arbitrary: anyCommand }, { weight: 1, arbitrary: restart })
    await assert(
      asyncProperty(array(step, { minLength: 30, maxLength: 60 }), async (steps) => {
        const run = new Run(clients, await clients.connect())
        for (const one of steps) {
          if (one.do !== 'restart') {
            await run.step(one)
            continue
          }
          await run.settle()
          await (one.crash ? broker.kill() : broker.terminate())
          await broker.start()
          await run.restarted(one.crash)
        }
        await run.end()
      }),
      { numRuns: 8, seed: 5 },
    )
  })
})
