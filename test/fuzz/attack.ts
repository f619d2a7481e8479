import {
  encodeAck,
  encodeConnect,
  encodePublish,
  encodeSubscribe,
  encodeUnsubscribe,
  noProperties,
  PacketType,
  PINGREQ,
  type ProtocolVersion,
} from '#broker/packets/index.ts'
import { corpus } from './corpus.ts'
import { mutate } from './mutate.ts'
import type { Random } from './random.ts'

/** What a client sends; a server that gets the others just ends the connection. */
const FROM_CLIENT = new Set<number>([
  PacketType.PUBLISH,
  PacketType.PUBACK,
  PacketType.PUBREC,
  PacketType.PUBREL,
  PacketType.PUBCOMP,
  PacketType.SUBSCRIBE,
  PacketType.UNSUBSCRIBE,
  PacketType.AUTH,
])

interface Packets {
  readonly all: Buffer[]
  readonly fromClient: Buffer[]
}

/** Makes the byte streams of clients that misbehave, in the chunks in which they arrive. */
export class Attacks {
  readonly #random: Random
  readonly #packets: Record<ProtocolVersion, Packets>

  constructor(random: Random, seed: number) {
    this.#random = random
    this.#packets = { 4: split(corpus(4, 400, seed)), 5: split(corpus(5, 600, seed)) }
  }

  /** One connection: CONNECT, packets some of which are mutated, cut into chunks anywhere. */
  next(): Buffer[] {
    const random = this.#random
    const version = random.pick([4, 5] as const)
    const { all, fromClient } = this.#packets[version]
    const first = this.#connect(version)
    const packets = [random.oneIn(8) ? mutate(first, random, random.pick(all)) : first]
    const mutations = random.pick([2, 4, 16])
    for (let i = random.below(30); i >= 0; i--) {
      const valid = random.oneIn(3) ? random.pick(fromClient) : this.#ordinary(version)
      packets.push(random.oneIn(mutations) ? mutate(valid, random, random.pick(all)) : valid)
    }
    return this.#chunks(Buffer.concat(packets))
  }

  /** Few client ids, so that attackers also take each other's sessions over. */
  #connect(version: ProtocolVersion): Buffer {
    const random = this.#random
    const properties =
      version === 5
        ? { sessionExpiryInterval: random.below(3), topicAliasMaximum: random.below(4) }
        : noProperties
    const will = {
      topic: 'will',
      payload: Buffer.from('w'),
      qos: random.pick([0, 1, 2] as const),
      retain: random.oneIn(2),
      properties: noProperties,
    }
    return encodeConnect({
      version,
      cleanStart: random.oneIn(2),
      keepAlive: random.below(3),
      clientId: `attacker-${random.below(8)}`,
      properties,
      ...(random.oneIn(3) ? { will } : {}),
    })
  }

  /** What any client might send: few topics and packet ids, so that packets have to do with each other. */
  #ordinary(version: ProtocolVersion): Buffer {
    const random = this.#random
    const packetId = 1 + random.below(4)
    const qos = random.pick([0, 1, 2] as const)
    const filter = random.pick(['a', 'a/+', '#', '$share/g/a', '$share/g/#'])
    const properties = noProperties
    switch (random.below(7)) {
      case 0:
        return encodeSubscribe(
          {
            packetId,
            subscriptions: [
              { filter, qos, noLocal: false, retainAsPublished: random.oneIn(2), retainHandling: 0 },
            ],
            properties,
          },
          version,
        )
      case 1:
        return encodeUnsubscribe({ packetId, filters: [filter], properties }, version)
      case 2:
        return encodeAck(random.pick([4, 5, 6, 7] as const), packetId, 0, properties, version)
      case 3:
        return PINGREQ
      default: {
        const topic = random.pick(['a', 'a/b', 'c'])
        const payload = Buffer.alloc(random.pick([0, 1, 300]), 'x')
        const flags = { retain: random.oneIn(4), dup: random.oneIn(6) }
        return encodePublish({ topic, packetId, qos, ...flags, payload, properties }, version)
      }
    }
  }

  #chunks(stream: Buffer): Buffer[] {
    const random = this.#random
    const chunks: Buffer[] = []
    let from = 0
    while (from < stream.length) {
      const size = random.oneIn(3) ? 1 + random.below(8) : 1 + random.below(stream.length)
      chunks.push(Buffer.from(stream.subarray(from, from + size)))
      from += size
    }
    return chunks
  }
}

function split(packets: Buffer[]): Packets {
  return { all: packets, fromClient: packets.filter((packet) => FROM_CLIENT.has(packet[0] >> 4)) }
}
