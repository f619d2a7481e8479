import { type Answer, AUTHORITATIVE_ANSWER, encode, RECURSION_DESIRED, TRUNCATED_RESPONSE } from 'dns-packet'
import { answers, dependsOnPlace } from '../evaluator.ts'
import type { RecordSet } from '../record-set.ts'
import type { DnsView } from '../view.ts'
import type { AddressBytes } from './address.ts'
import { clientSubnetOption } from './client-subnet.ts'
import type { Places } from './places.ts'
import { type Query, type QueryHead, type Rcode, rcodes, readQuery } from './query.ts'

export interface ResponderOptions {
  readonly view: Pick<DnsView, 'tree' | 'healthy'>
  /** Full names of the zone's name servers; those in the zone get their addresses into referrals. */
  readonly nameServers: readonly string[]
  readonly places: Places
  /** A number from 0 up to 1 by which one of several answers is chosen. */
  readonly choose: () => number
}

export interface Response {
  readonly message: Buffer
  readonly rcode: Rcode
  readonly truncated: boolean
}

/** What is sent over UDP at most: fits every path without fragments (DNS flag day 2020). */
const largestUdp = 1232
const smallestUdp = 512
/** How long a resolver may keep that a name is not there, seconds. */
const negativeTtl = 60
const soaTimes = { serial: 1, refresh: 7200, retry: 1800, expire: 1_209_600, minimum: negativeTtl }

/** Answers one message; undefined: it must not be answered. */
export function respond(
  options: ResponderOptions,
  message: Buffer,
  from: AddressBytes,
  transport: 'udp' | 'tcp',
): Response | undefined {
  const query = readQuery(message)
  if ('rcode' in query) {
    return query.head === undefined ? undefined : responseTo(query.head, { rcode: query.rcode })
  }
  const size = transport === 'tcp' ? 65_535 : udpSize(query)
  const content = contentFor(options, query, from)
  const whole = responseTo(query, content)
  if (whole.message.length <= size) return whole
  // What only helps may be left out without a word (RFC 2181, 9).
  const bare = responseTo(query, { ...content, additionals: [] })
  return bare.message.length <= size ? bare : responseTo(query, { rcode: content.rcode, truncated: true })
}

/** An answer without content, after which the asker comes by TCP; undefined: the message must not be answered. */
export function truncatedResponse(message: Buffer): Response | undefined {
  const query = readQuery(message)
  return 'rcode' in query ? undefined : responseTo(query, { rcode: 'NOERROR', truncated: true })
}

function udpSize({ edns }: Query): number {
  return edns === undefined ? smallestUdp : Math.min(Math.max(edns.size, smallestUdp), largestUdp)
}

interface Content {
  readonly rcode: Rcode
  readonly truncated?: boolean
  readonly answers?: Answer[]
  readonly authorities?: Answer[]
  readonly additionals?: Answer[]
  /** Of the client's subnet. */
  readonly scope?: number
}

function contentFor(options: ResponderOptions, query: Query, from: AddressBytes): Content {
  const { zone } = options.view.tree
  const name = query.name.toLowerCase()
  if (query.edns !== undefined && query.edns.version !== 0) return { rcode: 'BADVERS' }
  if (query.class !== 1 || (name !== zone && !name.endsWith(`.${zone}`))) return { rcode: 'REFUSED' }
  switch (query.type) {
    case 'AXFR':
    case 'IXFR':
      return { rcode: 'REFUSED' }
    case 'A':
    case 'AAAA':
    case 'TXT':
      return addressContent(options, query, query.type, from)
    case 'SOA':
      return name === zone ? { rcode: 'NOERROR', answers: [soa(options)] } : nothing(options, name)
    case 'NS':
      return name === zone ? nameServerContent(options) : nothing(options, name)
    default:
      // ANY gets one short record (RFC 8482, 4.2).
      return (query.type as string) === 'ANY' && exists(options, name)
        ? {
            rcode: 'NOERROR',
            answers: [{ type: 'HINFO', name: query.name, ttl: 3600, data: { cpu: 'RFC8482', os: '' } }],
          }
        : nothing(options, name)
  }
}

function addressContent(
  options: ResponderOptions,
  query: Query,
  type: RecordSet['type'],
  from: AddressBytes,
): Content {
  const { view, places, choose } = options
  const name = query.name.toLowerCase()
  const subnet = query.edns?.subnet
  // Length 0: the client wants nothing told of itself, and the resolver's place serves it (RFC 7871, 7.1.2).
  const told = subnet === undefined || subnet.prefix === 0 ? undefined : subnet
  const match = places.find(told?.address ?? from, told?.prefix ?? from.length * 8)
  const scope = told !== undefined && dependsOnPlace(view.tree, { name, type }) ? match.scope : 0
  const outcomes = answers(view.tree, { name, type }, match.value ?? {}, view.healthy)
  if (outcomes.length === 0) return { ...nothing(options, name), scope }
  const { values, ttl } = pick(outcomes, choose())
  const records = values.map((data): Answer => ({ type, name: query.name, ttl, data }))
  return { rcode: 'NOERROR', answers: records, scope }
}

function pick<T extends { share: number }>(outcomes: readonly T[], at: number): T {
  let sum = 0
  return outcomes.find(({ share }) => (sum += share) > at) ?? outcomes[outcomes.length - 1]
}

function soa({ view, nameServers }: ResponderOptions): Answer {
  const { zone } = view.tree
  const data = { mname: nameServers[0] ?? zone, rname: `hostmaster.${zone}`, ...soaTimes }
  return { type: 'SOA', name: zone, ttl: negativeTtl, data }
}

function nameServerContent({ view, nameServers }: ResponderOptions): Content {
  const { tree, healthy } = view
  const records = nameServers.map((data): Answer => ({ type: 'NS', name: tree.zone, ttl: 3600, data }))
  const glue = nameServers.flatMap((name) =>
    (['A', 'AAAA'] as const).flatMap((type) =>
      answers(tree, { name, type }, {}, healthy).flatMap(({ values, ttl }) =>
        values.map((data): Answer => ({ type, name, ttl, data })),
      ),
    ),
  )
  return { rcode: 'NOERROR', answers: records, additionals: glue }
}

/** There is no such record, or no such name at all; the SOA says for how long that may be kept (RFC 2308). */
function nothing(options: ResponderOptions, name: string): Content {
  return { rcode: exists(options, name) ? 'NOERROR' : 'NXDOMAIN', authorities: [soa(options)] }
}

/** Names above others are there too, without records of their own (RFC 8020). */
function exists({ view }: ResponderOptions, name: string): boolean {
  const { zone, records } = view.tree
  return name === zone || records.some((one) => one.name === name || one.name.endsWith(`.${name}`))
}

function responseTo(query: QueryHead | Query, content: Content): Response {
  const { rcode, truncated = false, scope = 0 } = content
  const authoritative = rcode === 'NOERROR' || rcode === 'NXDOMAIN'
  const flags =
    (authoritative ? AUTHORITATIVE_ANSWER : 0) |
    (truncated ? TRUNCATED_RESPONSE : 0) |
    (query.recursionDesired ? RECURSION_DESIRED : 0) |
    (query.opcode << 11) |
    (rcodes[rcode] & 0xf)
  const message = encode({
    type: 'response',
    id: query.id,
    flags,
    questions: 'name' in query ? [{ name: query.name, type: query.type }] : [],
    answers: content.answers ?? [],
    authorities: content.authorities ?? [],
    additionals: [...(content.additionals ?? []), ...optRecord(query, rcodes[rcode] >> 4, scope)],
  })
  // The class of a question is repeated as it was, which the encoder knows few of.
  if ('name' in query)
    message.writeUInt16BE(query.class, 12 + (query.name === '.' ? 1 : query.name.length + 2) + 2)
  return { message, rcode, truncated }
}

function optRecord(query: QueryHead | Query, extendedRcode: number, scope: number): Answer[] {
  if (!('name' in query) || query.edns === undefined) return []
  const { subnet } = query.edns
  return [
    {
      type: 'OPT',
      name: '.',
      udpPayloadSize: largestUdp,
      extendedRcode,
      ednsVersion: 0,
      flags: 0,
      flag_do: false,
      options: subnet === undefined ? [] : [clientSubnetOption(subnet, scope)],
    },
  ]
}
