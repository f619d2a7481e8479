import type { PublishPacket } from '#broker/packets/index.ts'
import type { TestBroker, TestClient } from '../harness.ts'
import type { Packet } from '../packets/packet.ts'

/** What a client library remembers of a persistent session, over any number of connections. */
export class Reader {
  /** In order of delivery to the application: QoS 1 as it comes, QoS 2 once for each handshake (4.3.3, method A). */
  readonly got: PublishPacket[] = []
  readonly #handshakes = new Set<number>()
  readonly #clientId: string
  readonly #receiveMaximum: number
  #client: TestClient | null = null
  #unread: Packet[] = []

  constructor(clientId: string, receiveMaximum: number) {
    this.#clientId = clientId
    this.#receiveMaximum = receiveMaximum
  }

  get connected(): boolean {
    return this.#client !== null
  }

  /** Connects, also while it is connected: that takes the session over. */
  async connect(t: TestBroker): Promise<TestClient> {
    this.#unread = []
    this.#client = await t.connect(this.#clientId, {
      cleanStart: false,
      properties: { sessionExpiryInterval: 0xffff_ffff, receiveMaximum: this.#receiveMaximum },
    })
    return this.#client
  }

  /** The connection is no more. */
  lost(): void {
    this.#client = null
    this.#unread = []
  }

  async vanish(): Promise<void> {
    const client = this.#client
    this.lost()
    await client?.vanish()
  }

  /**
   * Handles up to `limit` packets that have come; `answering`: the answers leave, otherwise the connection breaks
   * before they do. Returns how many there were.
   */
  async read(limit: number, answering = true): Promise<number> {
    const client = this.#client
    if (client === null) return 0
    this.#unread.push(...(await client.drain()))
    const packets = this.#unread.splice(0, limit)
    for (const packet of packets) {
      if (packet.type === 3) this.#take(packet.value)
      else if (packet.type === 6) this.#handshakes.delete(packet.value.packetId)
      if (answering) client.answer(packet)
    }
    if (!answering) await this.vanish()
    return packets.length
  }

  #take(publish: PublishPacket): void {
    if (publish.qos === 2) {
      if (this.#handshakes.has(publish.packetId)) return
      this.#handshakes.add(publish.packetId)
    }
    this.got.push(publish)
  }
}
