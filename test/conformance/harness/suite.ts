import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { mqtt311 } from '../statements/mqtt311.ts'
import { mqtt5 } from '../statements/mqtt5.ts'
import type { Specification } from '../statements/statement.ts'
import {
  type Addresses,
  type BrokerOptions,
  foreignAddresses,
  type RunningBroker,
  startBroker,
} from './broker.ts'
import type { Received, Version } from './client.ts'
import { type ConnectOptions, Peer } from './peer.ts'

/** Which statements each registered test covers; read by scripts/conformance.ts. */
export const coverage: { test: Mocha.Test; specification: Specification; ids: readonly string[] }[] = []

const specifications = { '3.1.1': mqtt311, '5.0': mqtt5 } as const

/** The broker of a suite, as its tests use it; every connection is cut when the test ends. */
export interface BrokerUnderTest {
  /** true if it is not ours (CINQUE_CONFORMANCE_URL) */
  readonly foreign: boolean
  readonly addresses: Addresses
  /** A TCP connection on which nothing was sent yet. */
  open(version?: Version): Promise<Peer>
  /** A connected client. */
  connect(options?: ConnectOptions, version?: Version): Promise<Peer>
  /** The same, and the CONNACK. */
  connack(options?: ConnectOptions, version?: Version): Promise<readonly [Peer, Received<'connack'>]>
}

export interface Suite {
  readonly broker: BrokerUnderTest
  /** mocha's `it`, and a note of the normative statements that the test shows. */
  readonly conforms: (ids: readonly string[], title: string, run: () => Promise<void>) => void
}

export interface SuiteOptions extends BrokerOptions {
  /** Start all tests of the group at once: for those that have to wait. Each still passes or fails by itself. */
  readonly together?: boolean
}

/**
 * A group of tests that share one broker process. A foreign broker can't be configured: groups with `options` are
 * left out when there is one, unless it names an address for every scheme that only the listeners ask for.
 */
export const suite = (
  name: keyof typeof specifications,
  title: string,
  options: SuiteOptions,
  body: (suite: Suite) => void,
): void => {
  const specification = specifications[name]
  const foreign = foreignAddresses()
  if (foreign !== undefined && !fits(foreign, options)) return
  describe(`MQTT ${name}: ${title}`, () => {
    let running: RunningBroker | undefined
    let addresses: Addresses = foreign ?? new Map()
    const open: Peer[] = []
    const early: (() => void)[] = []
    const cut = () => {
      for (const peer of open.splice(0)) peer.destroy()
    }
    const broker: BrokerUnderTest = {
      foreign: foreign !== undefined,
      get addresses() {
        return addresses
      },
      async open(version = specification.version) {
        const address = addresses.get('tcp')
        if (address === undefined) throw new Error('the broker has no tcp listener')
        const socket = connectTcp({ host: address.hostname, port: Number(address.port), noDelay: true })
        await once(socket, 'connect')
        const peer = new Peer(socket, version)
        open.push(peer)
        return peer
      },
      async connect(connectOptions, version) {
        const [peer] = await broker.connack(connectOptions, version)
        return peer
      },
      async connack(connectOptions, version) {
        const peer = await broker.open(version)
        return [peer, await peer.connect(connectOptions)]
      },
    }

    before(async () => {
      if (foreign === undefined) {
        running = await startBroker(options)
        addresses = running.addresses
      }
      for (const start of early) start()
    })
    if (options.together !== true) afterEach(cut)
    after(async () => {
      cut()
      await running?.stop()
    })

    /** A test that has begun before its turn. */
    const ahead = (run: () => Promise<void>): (() => Promise<void>) => {
      let outcome: Promise<{ error?: unknown }> | undefined
      early.push(() => {
        outcome = run().then(
          () => ({}),
          (error: unknown) => ({ error }),
        )
      })
      return async () => {
        const { error } = (await outcome) ?? {}
        if (error !== undefined) throw error
      }
    }

    body({
      broker,
      conforms(ids, testTitle, run) {
        for (const id of ids) {
          if (!specification.statements.some((statement) => statement.id === id)) {
            throw new Error(`MQTT ${name} has no statement ${id} (test: ${testTitle})`)
          }
        }
        const test = it(testTitle, options.together === true ? ahead(run) : run)
        coverage.push({ test, specification, ids })
      },
    })
  })
}

const fits = (foreign: Addresses, options: BrokerOptions): boolean =>
  options.set === undefined &&
  (options.listen ?? ['tcp:']).every((address) => foreign.has(address.slice(0, address.indexOf(':'))))
