import { type DecodedPacket, decode, type OptAnswer, type RecordType } from 'dns-packet'
import { type ClientSubnet, clientSubnetCode, parseClientSubnet } from './client-subnet.ts'

/** Response codes (RFC 1035 4.1.1; BADVERS: RFC 6891 9). */
export const rcodes = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const
export type Rcode = keyof typeof rcodes

/** What every answer repeats. */
export interface QueryHead {
  readonly id: number
  readonly opcode: number
  readonly recursionDesired: boolean
}

export interface Query extends QueryHead {
  /** As it was written, which the answer repeats (0x20 bits). */
  readonly name: string
  readonly type: RecordType
  /** 1: Internet. */
  readonly class: number
  readonly edns?: Edns
}

interface Edns {
  /** Bytes that the asker takes by UDP. */
  readonly size: number
  readonly version: number
  readonly subnet?: ClientSubnet
}

/** A question that can't be read, and what it is answered with; `head` is missing where nothing must be answered. */
export interface Malformed {
  readonly head?: QueryHead
  readonly rcode: Rcode
}

const headerSize = 12

/** Reads a question. Answers, and what is shorter than a header, are not to be answered. */
export function readQuery(message: Buffer): Query | Malformed {
  if (message.length < headerSize || (message[2] & 0x80) !== 0) return { rcode: 'FORMERR' }
  const head: QueryHead = {
    id: message.readUInt16BE(0),
    opcode: (message[2] >> 3) & 0xf,
    recursionDesired: (message[2] & 1) === 1,
  }
  if (head.opcode !== 0) return { head, rcode: 'NOTIMP' }
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((at) => message.readUInt16BE(at))
  const malformed: Malformed = { head, rcode: 'FORMERR' }
  // A question has one name, and besides OPT perhaps a signature (TSIG), which nobody here checks.
  if (questions !== 1 || answers !== 0 || authorities !== 0 || additionals > 2) return malformed
  let packet: DecodedPacket
  try {
    packet = decode(message)
  } catch {
    return malformed
  }
  const question = packet.questions?.at(0)
  const end = plainNameEnd(message, question?.name ?? '')
  if (question === undefined || end === undefined || end + 4 > message.length) return malformed
  const query = { ...head, name: question.name, type: question.type, class: message.readUInt16BE(end + 2) }
  const opts = (packet.additionals ?? []).filter((one): one is OptAnswer => one.type === 'OPT')
  if (opts.length === 0) return query
  const edns = opts.length === 1 ? readEdns(opts[0]) : undefined
  return edns === undefined ? malformed : { ...query, edns }
}

function readEdns({ udpPayloadSize, ednsVersion, options }: OptAnswer): Edns | undefined {
  const told = options.find(({ code }) => code === clientSubnetCode)
  const edns = { size: udpPayloadSize, version: ednsVersion }
  if (told === undefined || ednsVersion !== 0) return edns
  const subnet = parseClientSubnet(told.data ?? Buffer.alloc(0))
  return subnet === undefined ? undefined : { ...edns, subnet }
}

/**
 * Where a name after the header ends, if it is there just as it was read: no pointers, no dots within labels, nothing
 * that is no ASCII. All else could not be repeated in an answer, and is no name of ours.
 */
function plainNameEnd(message: Buffer, name: string): number | undefined {
  if (name === '.') return message[headerSize] === 0 ? headerSize + 1 : undefined
  let at = headerSize
  for (const label of name.split('.')) {
    if (message[at] !== label.length || !/^[!-~]{1,63}$/.test(label)) return undefined
    at += 1 + label.length
  }
  return message[at] === 0 ? at + 1 : undefined
}
