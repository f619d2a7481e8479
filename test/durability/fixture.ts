import { temporaryFolder } from '../scripts/child.ts'
import { brokerArguments, BrokerProcess, type BrokerSettings, freePort } from './broker-process.ts'
import type { Client } from './client.ts'

/** A broker in a process of its own on data of its own, and the clients to be stopped with it. */
export class Fixture {
  readonly port: number
  /** Directory of its data. */
  readonly data: string
  readonly broker: BrokerProcess
  readonly clients: Client[] = []
  readonly #remove: () => void

  private constructor(port: number, data: string, broker: BrokerProcess, remove: () => void) {
    this.port = port
    this.data = data
    this.broker = broker
    this.#remove = remove
  }

  /** Starts it; `data`: a directory to use instead of a temporary one. */
  static async start(set: BrokerSettings['set'] = {}, data?: string): Promise<Fixture> {
    const folder = data === undefined ? temporaryFolder() : { path: data, remove: () => {} }
    const port = await freePort()
    const broker = new BrokerProcess(brokerArguments({ port, data: folder.path, set }))
    const fixture = new Fixture(port, folder.path, broker, folder.remove)
    await broker.start().catch(async (error: unknown) => {
      await fixture.stop()
      throw error
    })
    return fixture
  }

  /** Makes a client that is stopped with the fixture. */
  add<T extends Client>(client: T): T {
    this.clients.push(client)
    return client
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.vanish()
    await this.broker.kill()
    this.#remove()
  }

  /** What clients saw that must never happen. */
  get violations(): string[] {
    return this.clients.flatMap((client) => client.violations).slice(0, 30)
  }
}
