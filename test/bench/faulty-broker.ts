import { once } from 'node:events'
import net from 'node:net'
import { generate, parser, type IPublishPacket, type Packet } from 'mqtt-packet'

/**
 * What becomes of the n-th publish (from 0) on its way to the subscribers: the packets to forward now. A fault of a
 * broker is a function that forwards too little, too much, or in another order.
 */
export type Forward = (publish: IPublishPacket, n: number) => readonly IPublishPacket[]

export interface FaultyBroker {
  readonly address: string
  stop(): void
}

/** The least broker there can be: every publish goes to every subscriber. PUBACK and PUBREC are sent by `acknowledge`. */
export async function startFaultyBroker(
  forward: Forward,
  { version = 4, acknowledge = true }: { version?: 4 | 5; acknowledge?: boolean } = {},
): Promise<FaultyBroker> {
  const sockets = new Set<net.Socket>()
  const subscribers = new Map<net.Socket, 0 | 1 | 2>()
  let count = 0
  let lastId = 0

  function publish(packet: IPublishPacket): void {
    for (const [socket, granted] of subscribers) {
      const qos = packet.qos < granted ? packet.qos : granted
      lastId = (lastId % 65_535) + 1
      socket.write(generate({ ...packet, qos, messageId: lastId }, { protocolVersion: version }))
    }
  }

  function answer(socket: net.Socket, packet: Packet): void {
    const reply = (to: Packet) => socket.write(generate(to, { protocolVersion: version }))
    const messageId = packet.messageId ?? 0
    if (packet.cmd === 'connect')
      reply({ cmd: 'connack', returnCode: 0, reasonCode: 0, sessionPresent: false })
    else if (packet.cmd === 'subscribe') {
      const granted = packet.subscriptions[0]?.qos ?? 0
      subscribers.set(socket, granted)
      reply({ cmd: 'suback', messageId, granted: [granted] })
    } else if (packet.cmd === 'publish') {
      for (const out of forward(packet, count++)) publish(out)
      if (packet.qos > 0 && acknowledge) reply({ cmd: packet.qos === 1 ? 'puback' : 'pubrec', messageId })
    } else if (packet.cmd === 'pubrec') reply({ cmd: 'pubrel', messageId })
    else if (packet.cmd === 'pubrel') reply({ cmd: 'pubcomp', messageId })
  }

  const server = net.createServer((socket) => {
    sockets.add(socket)
    const parse = parser({ protocolVersion: version })
    parse.on('packet', (packet: Packet) => answer(socket, packet))
    socket.on('data', (chunk) => parse.parse(chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      subscribers.delete(socket)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    address: `127.0.0.1:${address.port}`,
    stop() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
