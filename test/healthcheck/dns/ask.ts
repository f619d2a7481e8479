import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, isIPv6 } from 'node:net'
import { type DecodedPacket, decode, encode, type Packet, streamEncode } from 'dns-packet'
import { addressBytes } from '#healthcheck/dns/server/address.ts'

export interface Asked {
  readonly name: string
  readonly type?: string
  /** `203.0.113.0/24`: told as the client's. */
  readonly subnet?: string
  readonly edns?: { readonly size?: number; readonly version?: number }
}

export interface Got {
  readonly packet: DecodedPacket
  readonly rcode: number
  /** Addresses or texts. */
  readonly values: string[]
  /** Of the client's subnet; undefined: the answer has none. */
  readonly scope: number | undefined
}

let id = 1

/** A question as a resolver asks it. */
export function question({ name, type = 'A', subnet, edns }: Asked): Packet {
  const opt = subnet !== undefined || edns !== undefined
  return {
    type: 'query',
    id: (id = (id + 1) & 0xffff),
    questions: [{ name, type: type as 'A' }],
    additionals: opt
      ? [
          {
            type: 'OPT',
            name: '.',
            udpPayloadSize: edns?.size ?? 1232,
            extendedRcode: 0,
            ednsVersion: edns?.version ?? 0,
            flags: 0,
            flag_do: false,
            options: subnet === undefined ? [] : [{ code: 8, data: subnetData(subnet), ip: undefined }],
          },
        ]
      : [],
  }
}

function subnetData(subnet: string): Buffer {
  const [address, prefix] = subnet.split('/')
  const bytes = addressBytes(address) ?? new Uint8Array(0)
  const told = bytes.subarray(0, Math.ceil(Number(prefix) / 8))
  return Buffer.from([0, bytes.length === 4 ? 1 : 2, Number(prefix), 0, ...told])
}

/** Asks by UDP, from `local` if given. Rejects when there is no answer for 5 seconds. */
export async function askUdp(
  server: { host: string; port: number },
  asked: Asked | Buffer,
  local?: string,
): Promise<Got> {
  const socket = createSocket(isIPv6(server.host) ? 'udp6' : 'udp4')
  try {
    if (local !== undefined) {
      socket.bind(0, local)
      await once(socket, 'listening')
    }
    socket.send(Buffer.isBuffer(asked) ? asked : encode(question(asked)), server.port, server.host)
    const [message] = (await once(socket, 'message', { signal: AbortSignal.timeout(5000) })) as [Buffer]
    return got(message)
  } finally {
    socket.close()
  }
}

/** Asks all by one TCP connection, one after the other without waiting. */
export async function askTcp(
  server: { host: string; port: number },
  asked: readonly Asked[],
): Promise<Got[]> {
  const socket = connect(server.port, server.host)
  try {
    socket.write(Buffer.concat(asked.map((one) => streamEncode(question(one)))))
    const answers: Got[] = []
    let rest = Buffer.alloc(0)
    while (answers.length < asked.length) {
      const [chunk] = (await once(socket, 'data', { signal: AbortSignal.timeout(5000) })) as [Buffer]
      rest = Buffer.concat([rest, chunk])
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        answers.push(got(rest.subarray(2, 2 + rest.readUInt16BE(0))))
        rest = rest.subarray(2 + rest.readUInt16BE(0))
      }
    }
    return answers
  } finally {
    socket.destroy()
  }
}

export function got(message: Buffer): Got {
  const packet = decode(message)
  const opt = packet.additionals?.find((one) => one.type === 'OPT')
  const subnet = opt?.type === 'OPT' ? opt.options.find(({ code }) => code === 8) : undefined
  return {
    packet,
    rcode: (message[3] & 0xf) | (opt?.type === 'OPT' ? opt.extendedRcode << 4 : 0),
    values: (packet.answers ?? []).map((one) =>
      one.type === 'A' || one.type === 'AAAA' ? one.data : one.type,
    ),
    scope: subnet?.data?.[3],
  }
}
