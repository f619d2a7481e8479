import type { TestBroker, TestClient } from '../harness.ts'

interface Sent {
  readonly number: number
  readonly qos: 1 | 2
  released: boolean
}

/**
 * A client library that publishes numbers to `q/1` and `q/2`. With a persistent session it sends again what was not
 * acknowledged (4.4); without one it forgets.
 */
export class Publisher {
  /** Numbers sent, and acknowledged, by QoS. */
  readonly sent = { 1: [] as number[], 2: [] as number[] }
  readonly acknowledged = { 1: new Set<number>(), 2: new Set<number>() }
  /** Which connection a number was first sent over: order is promised within one. */
  readonly connectionOf: number[] = []
  readonly #kept: boolean
  #client!: TestClient
  #waiting = new Map<number, Sent>()
  #connections = 0
  #number = 0
  #packetId = 0

  constructor(kept: boolean) {
    this.#kept = kept
  }

  async connect(t: TestBroker): Promise<void> {
    this.#connections++
    const properties = { sessionExpiryInterval: 0xffff_ffff }
    this.#client = await t.connect('publisher', this.#kept ? { cleanStart: false, properties } : {})
    if (!this.#kept) {
      this.#waiting.clear()
      return
    }
    for (const [packetId, { number, qos, released }] of this.#waiting) {
      if (released) this.#client.ack(6, packetId)
      else this.#client.publish(`q/${qos}`, String(number), { qos, packetId, dup: true })
    }
  }

  publish(qos: 1 | 2): void {
    const number = ++this.#number
    do this.#packetId = (this.#packetId % 100) + 1
    while (this.#waiting.has(this.#packetId))
    this.#client.publish(`q/${qos}`, String(number), { qos, packetId: this.#packetId })
    this.#waiting.set(this.#packetId, { number, qos, released: false })
    this.sent[qos].push(number)
    this.connectionOf[number] = this.#connections
  }

  /** Room for that many more without a packet identifier used twice. */
  hasRoom(count: number): boolean {
    return this.#waiting.size + count < 100
  }

  get idle(): boolean {
    return this.#waiting.size === 0
  }

  /** Takes the acknowledgements that have come. */
  async take(): Promise<void> {
    for (const packet of await this.#client.drain()) {
      if (packet.type !== 4 && packet.type !== 5 && packet.type !== 7) continue
      const { packetId, reason } = packet.value
      const sent = this.#waiting.get(packetId)
      // PUBCOMP may say that it knows nothing of a PUBREL sent again
      if (sent === undefined || (packet.type !== 7 && reason >= 0x80))
        throw new Error('a wrong acknowledgement')
      if (packet.type !== 7) this.acknowledged[sent.qos].add(sent.number)
      if (packet.type === 5) {
        sent.released = true
        this.#client.ack(6, packetId)
      } else this.#waiting.delete(packetId)
    }
  }
}
